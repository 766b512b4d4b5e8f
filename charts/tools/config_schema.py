#!/usr/bin/env python3
"""Holds `properties.config` of the chart's values.schema.json to the product's own schema of its configuration.

    pinfold schema config | charts/tools/config_schema.py --write    puts it there
    pinfold schema config | charts/tools/config_schema.py            fails where it is not there

So a misspelt key is refused by `helm install`, not by a pod that never becomes ready. Needs nothing but Python.
"""

import json
import pathlib
import sys

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "pinfold" / "values.schema.json"
# How the product's schema says that a key is known and refused.
REFUSED = "Not in this version"


def for_values(schema):
    """Returns the part of the schema that holds for values of a chart."""
    if isinstance(schema, list):
        return [for_values(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: for_values(value) for key, value in schema.items()}
    properties = schema.get("properties")
    if isinstance(properties, dict):
        out["properties"] = {
            key: for_values(value)
            for key, value in properties.items()
            if not value.get("description", "").startswith(REFUSED)
        }
    return out


def wanted():
    schema = for_values(json.load(sys.stdin))
    # A schema within a schema, and what the templates ask for in better words: no value at all is not a mistake yet.
    for key in ("$schema", "title", "required"):
        schema.pop(key, None)
    schema["properties"]["repository"].pop("required", None)
    schema["properties"]["targets"].pop("minItems", None)
    return schema


def main():
    values = json.loads(SCHEMA.read_text())
    schema = wanted()
    if "--write" in sys.argv[1:]:
        values["properties"]["config"] = schema
        SCHEMA.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        return 0
    if values["properties"]["config"] != schema:
        print(
            f"{SCHEMA.name}: properties.config is not what `pinfold schema config` says: "
            "run `pinfold schema config | charts/tools/config_schema.py --write`",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

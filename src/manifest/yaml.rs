//! YAML text to a small tree of values, bounded before and while it is parsed. Knows no field of any manifest.
//!
//! The parser underneath is frozen upstream, so it is kept behind this file and given nothing unbounded: what it is
//! known to read slowly or wrongly (deep nesting, aliases of aliases, doubled anchors) is refused here.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::flaw::{Flaw, Place, breaks_lines};
use crate::domain::bounds::MAX_FILE_BYTES;

/// Values inside values. A manifest has three levels.
pub(super) const MAX_DEPTH: usize = 16;
/// Values in one file, with every alias written out. A manifest with a hundred aliases has under a thousand.
pub(super) const MAX_VALUES: u32 = 10_000;
/// Bytes of text in one file, with every alias written out.
const MAX_TEXT: usize = 2 * 1024 * 1024;
/// Opening brackets in one file: the parser's time grows with the square of how many are open at once.
const MAX_BRACKETS: usize = 500;
/// Anchors in one file, counting everything that could be one.
const MAX_ANCHORS: usize = 64;

const BOMB: &str =
    "it holds far more than any manifest, with its YAML anchors written out: shorten it, and use no anchors";
const TAG: &str = "YAML tags (!...) are not read: remove the tag, and put text in quotes";
const SECOND: &str = "a second YAML document begins here: put one function in each file, and remove the --- line";
const EMPTY: &str =
    "the file holds nothing: write a manifest that begins with apiVersion: pinfold/v1, or remove the file";

/// A value, numbered in the order of reading so that [`locate`] can find it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) id: u32,
    pub(super) value: Value,
}

/// What a value is. Numbers keep no value and lists no elements, as no field takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool,
    Number,
    Text(String),
    List,
    Map(Vec<(Node, Node)>),
}

/// Checks the bytes of a file and returns its text without a byte order mark.
///
/// # Errors
///
/// The file is too large, is no UTF-8, or holds characters that make what people see differ from what is parsed.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, Flaw> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(super::file::too_large(bytes.len() as u64));
    }
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let sound = str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let place = Place::of(sound, sound.len());
            return Err(Flaw::new(Some(place), "this byte is not UTF-8: save the file as UTF-8"));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let plain = |b: u8| matches!(b, b'\n' | b'\t' | b' '..=b'~');
    if !text.bytes().all(plain) {
        refuse_strange_characters(text)?;
    }
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        let message = "this is a Git LFS pointer: keep manifests in Git itself, not in LFS";
        return Err(Flaw::new(None, message));
    }
    if let Some((index, _)) = text.lines().enumerate().find(|(_, line)| line.starts_with('%')) {
        let place = Place {
            line: index + 1,
            column: 1,
        };
        return Err(Flaw::new(
            Some(place),
            "YAML directives (%...) are not read: remove the line",
        ));
    }
    if text.bytes().filter(|b| matches!(b, b'[' | b'{')).count() > MAX_BRACKETS {
        let message = format!("it holds over {MAX_BRACKETS} brackets [ and {{: write a plain manifest");
        return Err(Flaw::new(None, message));
    }
    Ok(text)
}

/// Refuses control characters, and line ends that YAML sees and editors do not: a version could hide in a comment.
fn refuse_strange_characters(text: &str) -> Result<(), Flaw> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let message = match c {
            '\n' | '\t' => continue,
            '\r' if characters.peek().is_some_and(|(_, next)| *next == '\n') => continue,
            '\r' => "a carriage return without a line feed: end lines with LF or CRLF".to_owned(),
            // The last three are refused by the parser as well, which then tells no place.
            _ if c.is_control() || breaks_lines(c) || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                format!(
                    "the character U+{:04X} has no place in a manifest: remove it",
                    u32::from(c)
                )
            }
            _ => continue,
        };
        return Err(Flaw::new(Some(Place::of(text, at)), message));
    }
    Ok(())
}

/// Reads a text that [`text_of`] returned.
///
/// # Errors
///
/// It is no YAML, or holds what no manifest may hold: nothing at all, a second document, tags, a bomb.
pub(super) fn read(text: &str) -> Result<Node, Flaw> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else {
        return Err(Flaw::new(None, EMPTY));
    };
    let walk = Walk::new(None);
    let node = walk
        .seed(0)
        .deserialize(first)
        .map_err(|error| walk.explain(text, &error))?;
    if let Some(second) = documents.next() {
        let place = Walk::new(Some(0)).seed(0).deserialize(second).err();
        return Err(Flaw::new(place.as_ref().and_then(place_in), SECOND));
    }
    if node.value == Value::Null {
        return Err(Flaw::new(None, EMPTY));
    }
    refuse_tags(text)?;
    refuse_doubled_anchors(text)?;
    Ok(node)
}

/// Finds a value again. The parser tells places in errors alone, so this parses once more and fails at the value.
pub(super) fn locate(text: &str, id: u32) -> Option<Place> {
    let document = serde_yaml::Deserializer::from_str(text).next()?;
    let error = Walk::new(Some(id)).seed(0).deserialize(document).err()?;
    place_in(&error)
}

fn place_in(error: &serde_yaml::Error) -> Option<Place> {
    error.location().map(|location| Place {
        line: location.line(),
        column: location.column(),
    })
}

/// Refuses tags that the parser would follow in silence (`!!str`).
///
/// Whether a `!` begins a tag or stands in a comment or a text, only a parser knows. `@` may begin
/// nothing in YAML, and elsewhere is as good as `!`: what parses with one and not with the other has a tag.
fn refuse_tags(text: &str) -> Result<(), Flaw> {
    if text.contains('!')
        && let Err(error) = swapped(text.replace('!', "@").as_str())
    {
        return Err(Flaw::new(place_in(&error), TAG));
    }
    Ok(())
}

/// Refuses an anchor that is defined twice: the parser numbers anchors by how many names there are, so the second
/// definition and the next anchor share a number, and an alias may then stand for neither of the two.
fn refuse_doubled_anchors(text: &str) -> Result<(), Flaw> {
    if !text.contains('*') || !text.contains('&') {
        return Ok(());
    }
    let mut anchors: Vec<(&str, usize)> = text
        .match_indices('&')
        .map(|(at, _)| (word_after(text, at), at))
        .collect();
    anchors.retain(|(word, _)| !word.is_empty());
    if anchors.len() > MAX_ANCHORS {
        return Err(Flaw::new(
            None,
            format!("it holds over {MAX_ANCHORS} anchors (&...): write the values out"),
        ));
    }
    anchors.sort_unstable();
    for same in anchors.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        let mut places = same.iter().filter_map(|(_, at)| {
            // As with tags: only at an anchor does it matter that an `@` stands there.
            let without = format!("{}@{}", &text[..*at], &text[at + 1..]);
            swapped(&without).err().map(|error| place_in(&error))
        });
        if let (Some(_), Some(second)) = (places.next(), places.next()) {
            let word = same.first().map_or("", |(word, _)| word);
            let message = format!("the anchor &{word} is defined twice: give each its own name");
            return Err(Flaw::new(second, message));
        }
    }
    Ok(())
}

fn word_after(text: &str, at: usize) -> &str {
    let rest = &text[at + 1..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    &rest[..end.unwrap_or(rest.len())]
}

fn swapped(text: &str) -> Result<IgnoredAny, serde_yaml::Error> {
    serde_yaml::from_str(text)
}

#[cfg(test)]
thread_local! {
    /// Values that this thread has read in all its walks: what tests hold the bounds to, as time depends on the machine.
    pub(super) static READ: Cell<usize> = const { Cell::new(0) };
}

/// One way through a document: counts what it reads and knows where to stop.
struct Walk {
    next: Cell<u32>,
    text: Cell<usize>,
    stop_at: Option<u32>,
    halt: Cell<Option<&'static str>>,
}

impl Walk {
    fn new(stop_at: Option<u32>) -> Self {
        Self {
            next: Cell::new(0),
            text: Cell::new(0),
            stop_at,
            halt: Cell::new(None),
        }
    }

    fn seed(&self, depth: usize) -> Reading<'_> {
        Reading { walk: self, depth }
    }

    /// Numbers one value.
    fn number<E: de::Error>(&self) -> Result<u32, E> {
        let id = self.next.get();
        self.next.set(id + 1);
        #[cfg(test)]
        READ.set(READ.get() + 1);
        if self.stop_at == Some(id) {
            return Err(self.halt("found"));
        }
        if id >= MAX_VALUES {
            return Err(self.halt(BOMB));
        }
        Ok(id)
    }

    fn halt<E: de::Error>(&self, why: &'static str) -> E {
        self.halt.set(Some(why));
        E::custom(why)
    }

    /// Says what stopped the walk.
    fn explain(&self, text: &str, error: &serde_yaml::Error) -> Flaw {
        let place = place_in(error);
        if let Some(why) = self.halt.get() {
            return Flaw::new(place, why);
        }
        let whole = error.to_string();
        if whole.starts_with("repetition limit") {
            return Flaw::new(place, BOMB);
        }
        // The place is told beside the message.
        let problem = whole.split(" at line ").next().unwrap_or(&whole);
        let line = place.and_then(|place| text.lines().nth(place.line.saturating_sub(1)));
        let indented_with_tab =
            line.is_some_and(|line| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty());
        let advice = if indented_with_tab {
            "the line is indented with a tab: indent with spaces"
        } else if problem.contains("unknown anchor") {
            "define the anchor (&name) above its use (*name), or put quotes around text that begins with *"
        } else {
            "check the indentation and the quotes here and in the line above"
        };
        Flaw::new(place, format!("not valid YAML ({problem}): {advice}"))
    }
}

#[derive(Clone, Copy)]
struct Reading<'w> {
    walk: &'w Walk,
    depth: usize,
}

impl Reading<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self
                .walk
                .halt("values are nested deeper than in any manifest: write it flatter"));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn leaf<E: de::Error>(self, value: Value) -> Result<Node, E> {
        let id = self.walk.number()?;
        Ok(Node { id, value })
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.leaf(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.leaf(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Node, E> {
        self.leaf(Value::Bool)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Node, E> {
        self.leaf(Value::Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Node, E> {
        self.leaf(Value::Number)
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Node, E> {
        self.leaf(Value::Number)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Node, E> {
        self.leaf(Value::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
        self.leaf(Value::Number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        let total = self.walk.text.get() + text.len();
        self.walk.text.set(total);
        if total > MAX_TEXT {
            return Err(self.walk.halt(BOMB));
        }
        self.leaf(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let id = self.walk.number()?;
        let inside = self.deeper()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(Node { id, value: Value::List })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let id = self.walk.number()?;
        let inside = self.deeper()?;
        let mut pairs = Vec::new();
        while let Some(key) = fields.next_key_seed(inside)? {
            pairs.push((key, fields.next_value_seed(inside)?));
        }
        Ok(Node {
            id,
            value: Value::Map(pairs),
        })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(self.walk.halt(TAG))
    }
}

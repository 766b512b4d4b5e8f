{{/* How the repository is reached: `https`, `ssh`, or nothing for a path, file:// and http:// on loopback. */}}
{{- define "pinfold.gitScheme" -}}
{{- $url := dig "repository" "url" "" .Values.config -}}
{{- if hasPrefix "https://" $url -}}
https
{{- else if or (hasPrefix "ssh://" $url) (regexMatch "^[^/:@]+@[^/:]+:" $url) -}}
ssh
{{- end -}}
{{- end -}}

{{/* What `config` cannot leave out, with words that a schema has not. */}}
{{- define "pinfold.checkConfig" -}}
{{- $repository := .Values.config.repository | default dict -}}
{{- if not $repository.url -}}
{{- fail "\n\nconfig.repository.url is needed: the Git repository that says which version each function runs, for example\n\n  config:\n    repository:\n      url: https://github.com/acme/lambda-versions.git\n" -}}
{{- end -}}
{{- if not .Values.config.targets -}}
{{- fail "\n\nconfig.targets is needed: the folders of the repository and the account and Region of each, for example\n\n  config:\n    targets:\n      - name: prod\n        path: prod\n        region: us-east-1\n" -}}
{{- end -}}
{{- $scheme := include "pinfold.gitScheme" . -}}
{{- if and .Values.git.existingSecret (not $scheme) -}}
{{- fail (printf "\n\ngit.existingSecret is set, but config.repository.url (%s) is neither https nor ssh, and takes no credentials.\n" $repository.url) -}}
{{- end -}}
{{- if and (eq $scheme "ssh") (not .Values.git.existingSecret) (not $repository.auth) -}}
{{- fail (printf "\n\ngit.existingSecret is needed: config.repository.url (%s) is ssh, which takes a private key (%s) and known host keys (%s).\n" $repository.url .Values.git.secretKeys.sshKey .Values.git.secretKeys.knownHosts) -}}
{{- end -}}
{{- if and .Values.config.webhooks (not .Values.webhook.existingSecret) (not .Values.extraVolumeMounts) -}}
{{- fail "\n\nwebhook.existingSecret is needed: config.webhooks names files with secrets, and nothing brings them. Name a Secret; its keys are files in /etc/pinfold/webhooks.\n" -}}
{{- end -}}
{{- $listen := dig "http" "listen" "" .Values.config -}}
{{- if or (hasPrefix "127." $listen) (hasPrefix "[::1]" $listen) -}}
{{- fail (printf "\n\nconfig.http.listen (%s) is a loopback address: neither the probes nor the Service would reach it. Leave it out, or use 0.0.0.0 or [::].\n" $listen) -}}
{{- end -}}
{{- end -}}

{{/*
The configuration file: `config`, and what follows from the chart's own volumes. What `config` says itself stays.
*/}}
{{- define "pinfold.config" -}}
{{- include "pinfold.checkConfig" . -}}
{{- $config := deepCopy .Values.config -}}
{{- $repository := $config.repository -}}
{{- if not $repository.cacheDir -}}
{{- $_ := set $repository "cacheDir" "/var/cache/pinfold" -}}
{{- end -}}
{{- if and .Values.git.existingSecret (not $repository.auth) -}}
{{- $keys := .Values.git.secretKeys -}}
{{- $auth := dict -}}
{{- if eq (include "pinfold.gitScheme" .) "ssh" -}}
{{- $auth = dict "sshKeyFile" (printf "/etc/pinfold/git/%s" $keys.sshKey) "knownHostsFile" (printf "/etc/pinfold/git/%s" $keys.knownHosts) -}}
{{- else -}}
{{- $auth = dict "tokenFile" (printf "/etc/pinfold/git/%s" $keys.token) -}}
{{- with $keys.username -}}
{{- $_ := set $auth "usernameFile" (printf "/etc/pinfold/git/%s" .) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $repository "auth" $auth -}}
{{- end -}}
{{- if and .Values.git.caConfigMap.name (not $repository.caFile) -}}
{{- $_ := set $repository "caFile" (printf "/etc/pinfold/ca/%s" .Values.git.caConfigMap.key) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "pinfold.configMapName" -}}
{{- default (include "pinfold.suffixed" (list . "config")) .Values.existingConfigMap -}}
{{- end -}}

{{/* The port that the process listens on. */}}
{{- define "pinfold.port" -}}
{{- if .Values.existingConfigMap -}}
{{- .Values.existingConfigMapPort | int -}}
{{- else -}}
{{- dig "http" "listen" "" .Values.config | default "0.0.0.0:8420" | regexFind "[0-9]+$" -}}
{{- end -}}
{{- end -}}

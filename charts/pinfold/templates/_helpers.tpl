{{/* The chart's name, in at most 63 characters. */}}
{{- define "pinfold.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the release's objects. */}}
{{- define "pinfold.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "pinfold.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The same with a suffix that is never cut off. Arguments: the root, the suffix. */}}
{{- define "pinfold.suffixed" -}}
{{- $root := index . 0 -}}
{{- $suffix := index . 1 -}}
{{- $room := sub 62 (len $suffix) | int -}}
{{- printf "%s-%s" (include "pinfold.fullname" $root | trunc $room | trimSuffix "-") $suffix -}}
{{- end -}}

{{- define "pinfold.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "pinfold.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pinfold.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What the Deployment and the Service select by. It must never change: a Deployment's selector is immutable. */}}
{{- define "pinfold.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pinfold.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pinfold.ownLabels" -}}
{{ include "pinfold.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* The labels of an object. Arguments: the root, further labels. The chart's own win, as objects are found by them. */}}
{{- define "pinfold.labels" -}}
{{- $root := index . 0 -}}
{{- $own := include "pinfold.ownLabels" $root | fromYaml -}}
{{- merge $own (index . 1 | default dict) $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{/* The labels of the pod. Not the chart's version: a chart that renders the same pod should not restart it. */}}
{{- define "pinfold.podLabels" -}}
{{- $own := omit (include "pinfold.ownLabels" . | fromYaml) "helm.sh/chart" "app.kubernetes.io/managed-by" -}}
{{- merge $own .Values.podLabels .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* The field `annotations` of an object, where there are any. Arguments: the root, further annotations. */}}
{{- define "pinfold.annotations" -}}
{{- $root := index . 0 -}}
{{- with merge (dict) (index . 1 | default dict) $root.Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* A digest wins over a tag: not every runtime takes both. */}}
{{- define "pinfold.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- if $registry -}}{{- $registry | trimSuffix "/" -}}/{{- end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "pinfold.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets -}}
{{- if kindIs "map" . -}}
{{- $names = append $names .name -}}
{{- else -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- range $names | uniq }}
- name: {{ . }}
{{- end -}}
{{- end -}}

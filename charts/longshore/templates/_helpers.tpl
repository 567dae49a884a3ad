{{- define "longshore.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "longshore.fullname" -}}
{{- $name := include "longshore.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "longshore.selectorLabels" -}}
app.kubernetes.io/name: {{ include "longshore.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "longshore.labels" -}}
{{ include "longshore.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "longshore.serviceAccountName" -}}
{{- default (include "longshore.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "longshore.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* What all workers get, as the operator's --worker-defaults reads it. */ -}}
{{- define "longshore.workerDefaults" -}}
{{- $defaults := dict "resources" .Values.worker.resources "runAsUser" .Values.worker.runAsUser "fsGroup" .Values.worker.fsGroup -}}
{{- with .Values.worker.priorityClassName }}{{ $_ := set $defaults "priorityClassName" . }}{{ end -}}
{{- with .Values.worker.nodeSelector }}{{ $_ := set $defaults "nodeSelector" . }}{{ end -}}
{{- with .Values.worker.tolerations }}{{ $_ := set $defaults "tolerations" . }}{{ end -}}
{{- with .Values.imagePullSecrets }}{{ $_ := set $defaults "imagePullSecrets" . }}{{ end -}}
{{- toJson $defaults -}}
{{- end -}}

-- Health of a LoadJob, as Argo CD's own script has it for a Job: Complete is healthy, Failed is degraded, what is
-- suspended is suspended, all else progresses. A status of an older generation says nothing yet.
local health = {status = "Progressing", message = "Waiting for the operator"}
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  health.message = "Waiting for the operator to see the newest spec"
  return health
end
local found = {}
for _, condition in ipairs(status.conditions) do
  if condition.status == "True" then
    found[condition.type] = condition
  end
end
local function answer(state, condition)
  local text = condition.reason or ""
  if condition.message ~= nil and condition.message ~= "" then
    text = text .. ": " .. condition.message
  end
  return {status = state, message = text}
end
if found.Complete ~= nil then
  return answer("Healthy", found.Complete)
end
if found.Failed ~= nil then
  return answer("Degraded", found.Failed)
end
if found.Stalled ~= nil then
  return answer("Degraded", found.Stalled)
end
if found.Suspended ~= nil then
  return answer("Suspended", found.Suspended)
end
if found.Reconciling ~= nil then
  return answer("Progressing", found.Reconciling)
end
return health

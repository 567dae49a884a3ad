-- Health of a Pipe: Stalled (an edit of this object is needed, or files are in ERROR at its end) is degraded, what is
-- suspended is suspended, Ready is healthy: it lists and loads, or has done so. All else progresses.
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
  elseif condition.type == "Ready" then
    health.message = (condition.reason or "") .. ": " .. (condition.message or "")
  end
end
local function answer(state, condition)
  local text = condition.reason or ""
  if condition.message ~= nil and condition.message ~= "" then
    text = text .. ": " .. condition.message
  end
  return {status = state, message = text}
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
if found.Ready ~= nil then
  return answer("Healthy", found.Ready)
end
return health

-- include workspace
-- The version of a state if it is newer than ours.
local function newer_version_of(state)
  local version = string.match(state, '^[^\31]*')
  return version ~= '1' and string.find(version, '^[1-9]%d*$') and version
end

-- Why there is no state that a script may use. `head` is that of another workspace.
local function refusal_of(keys, state, head)
  if head then
    -- 'missing' is right only if the workspace of the session is certain.
    if workspace_of(head.ws, redis.call('HGET', keys[1], 'f')) then return { 'missing', 'elsewhere' } end
    return { 'corrupt', 'its head names two workspaces' }
  end
  if state then
    local version = newer_version_of(state)
    return version and { 'newer', version } or { 'corrupt', 'its state is invalid' }
  end
  if redis.call('EXISTS', keys[1]) == 1 then return { 'corrupt', 'it has no state' } end
  if redis.call('EXISTS', keys[2], keys[3], keys[4], keys[6], keys[7]) > 0 then
    return { 'corrupt', 'its head is missing' }
  end
  return { 'missing' }
end

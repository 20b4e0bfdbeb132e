-- The workspace of a session, from its state and its frame. Nil if it cannot be read or the two differ.
local function workspace_of(ws, frame)
  if not ws or not (ws == 'n' or string.find(ws, '^w.')) then return nil end
  local is_json, members = pcall(cjson.decode, frame or '')
  if is_json and type(members) == 'table' and members.workspace_id ~= nil then
    local named = members.workspace_id
    if (named == cjson.null and 'n' or 'w' .. tostring(named)) ~= ws then return nil end
  end
  return ws
end

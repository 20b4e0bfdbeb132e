-- The head of a session is a hash:
--   v  version of the format          g  generation: changes when turns get new places
--   r  revision                       w  revision of the last change other than an append
--   n  turns    m  transitions        ws workspace: 'n' for none, else 'w' and its id
--   f  frame (JSON)                   d  metadata (JSON)
--   u  updatedAt (JSON)               uk its instant     us stamp of its entries in the indexes
--   ck instant of createdAt           cs stamp of its entries in the indexes
--   e  when all keys of the session expire, in milliseconds; missing if they do not
local SCHEMA = '1'
-- unpack takes about 8,000 values.
local CHUNK = 4000

local function integer(value)
  return string.format('%.0f', value)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function is_count(text)
  return string.find(text, '^%d+$') ~= nil
end

-- Whether a version other than ours is a version.
local function is_newer(version)
  return string.find(version, '^[1-9]%d*$') ~= nil
end

-- The workspace of a session, from two fields of its head. Nil if it cannot be read or the two differ.
local function workspace_of(ws, frame)
  if not ws or not (ws == 'n' or string.find(ws, '^w.')) then return nil end
  local is_json, members = pcall(cjson.decode, frame or '')
  if is_json and type(members) == 'table' and members.workspace_id ~= nil then
    local named = members.workspace_id
    if (named == cjson.null and 'n' or 'w' .. tostring(named)) ~= ws then return nil end
  end
  return ws
end

-- Returns the head; or nil and a reply with the reason. The keys are head, turns, ids, transitions.
local function read_head(keys, scope)
  local key = keys[1]
  local field = redis.call('HMGET', key, 'v', 'g', 'r', 'w', 'n', 'm', 'ws', 'uk', 'us', 'ck', 'cs', 'e')
  if not field[1] then
    if redis.call('EXISTS', key) == 1 then return nil, { 'corrupt', 'it has no version' } end
    if redis.call('EXISTS', keys[2], keys[3], keys[4]) > 0 then return nil, { 'corrupt', 'its head is missing' } end
    return nil, { 'missing' }
  end
  if field[1] ~= SCHEMA then
    if is_newer(field[1]) then return nil, { 'newer', field[1] } end
    return nil, { 'corrupt', 'its version is invalid' }
  end
  local head = {
    g = field[2], r = tonumber(field[3]), w = tonumber(field[4]), n = tonumber(field[5]), m = tonumber(field[6]),
    ws = field[7], uk = field[8], us = field[9], ck = field[10], cs = field[11], e = field[12],
  }
  for at = 2, 11 do
    if not field[at] then return nil, { 'corrupt', 'it lacks a member' } end
  end
  for at = 3, 6 do
    if not is_count(field[at]) then return nil, { 'corrupt', 'one of its counts is invalid' } end
  end
  -- Scripts use it after their writes, where nothing may fail.
  if head.e and not is_count(head.e) then return nil, { 'corrupt', 'its expiry is invalid' } end
  if not workspace_of(head.ws) then return nil, { 'corrupt', 'its workspace cannot be read' } end
  if scope ~= '*' and scope ~= head.ws then
    -- 'missing' is right only if the workspace of the session is certain.
    if not workspace_of(head.ws, redis.call('HGET', key, 'f')) then
      return nil, { 'corrupt', 'its head names two workspaces' }
    end
    return nil, { 'missing' }
  end
  return head
end

-- Nil if the lists have the lengths that the head says. Fails with WRONGTYPE if a key is not a list.
local function damage(head, turns, transitions)
  if redis.call('LLEN', turns) ~= head.n then return { 'corrupt', 'turns are missing or too many' } end
  if redis.call('LLEN', transitions) ~= head.m then return { 'corrupt', 'transitions are missing or too many' } end
  return nil
end

-- HMGET of any number of fields, from first to last of an array.
local function get_all(key, fields, first, last)
  if last - first < CHUNK then
    return first > last and {} or redis.call('HMGET', key, unpack(fields, first, last))
  end
  local values = {}
  for from = first, last, CHUNK do
    local part = redis.call('HMGET', key, unpack(fields, from, math.min(from + CHUNK - 1, last)))
    for at = 1, #part do values[from - first + at] = part[at] end
  end
  return values
end

-- A command with any number of values after its key. Returns the last reply, or nil without values.
local function call_all(command, key, values)
  local reply
  for from = 1, #values, CHUNK do
    reply = redis.call(command, key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
  end
  return reply
end

-- The last place of an id. A place is 'index' or 'index:revision', and several are separated by spaces.
local function last_place(places)
  return tonumber(string.match(places, '(%d+)[:%d]*$'))
end

-- The head of a session is a hash:
--   c  the state: the values below, separated by U+001F
--   f  frame (JSON)                   d  metadata (JSON)
--   ck instant of createdAt           cs stamp of its entries in the indexes
-- The state:
--   v  version of the format
--   g  generation: changes when turns get new places
--   r  revision
--   w  revision of the last change of the frame or the metadata
--   n  turns
--   m  transitions
--   l  entries that the log of changes has had
--   e  when all keys of the session expire, in milliseconds; '' if they do not
--   oe when the results of operations expire, or 0
--   on results of operations since the oldest were dropped
--   ws workspace: 'n' for none, else 'w' and its id
--   uk instant of updatedAt
--   us stamp of its entries in the indexes
--   u  updatedAt (JSON)
local SCHEMA = '1'
local STATE = '^1\31([^\31]*)\31(%d+)\31(%d+)\31(%d+)\31(%d+)\31(%d+)\31(%d*)\31(%d+)\31(%d+)\31([nw][^\31]*)\31(.*)$'
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

-- The last three values of a state. Faster than a pattern, since they are long.
local function updated_of(text)
  local first = string.find(text, '\31', 1, true)
  local second = first and string.find(text, '\31', first + 1, true)
  if not second or string.find(text, '\31', second + 1, true) then return nil end
  return string.sub(text, 1, first - 1), string.sub(text, first + 1, second - 1), string.sub(text, second + 1)
end

-- Why a state cannot be read.
local function refusal_of(keys, state)
  if not state then
    if redis.call('EXISTS', keys[1]) == 1 then return { 'corrupt', 'it has no state' } end
    if redis.call('EXISTS', keys[2], keys[3], keys[4], keys[6], keys[7]) > 0 then
      return { 'corrupt', 'its head is missing' }
    end
    return { 'missing' }
  end
  local version = string.match(state, '^[^\31]*')
  if version ~= SCHEMA and is_newer(version) then return { 'newer', version } end
  return { 'corrupt', 'its state is invalid' }
end

-- Returns the state; or nil and a reply with the reason. The keys are all of the session.
local function read_head(keys, scope)
  local state = redis.call('HGET', keys[1], 'c')
  local g, r, w, n, m, l, e, oe, on, ws, updated = string.match(state or '', STATE)
  if not g or ws == 'w' or (ws ~= 'n' and string.byte(ws) == 110) then return nil, refusal_of(keys, state) end
  local uk, us, u = updated_of(updated)
  if not u then return nil, refusal_of(keys, state) end
  if scope ~= '*' and scope ~= ws then
    -- 'missing' is right only if the workspace of the session is certain.
    if not workspace_of(ws, redis.call('HGET', keys[1], 'f')) then
      return nil, { 'corrupt', 'its head names two workspaces' }
    end
    return nil, { 'missing', 'elsewhere' }
  end
  return {
    c = state, g = g, r = tonumber(r), w = tonumber(w), n = tonumber(n), m = tonumber(m), l = tonumber(l), e = e,
    oe = tonumber(oe), on = tonumber(on), ws = ws, uk = uk, us = us, u = u,
  }
end

-- The text of a state.
local function state_of(head)
  return string.format(
    '1\31%s\31%.0f\31%.0f\31%.0f\31%.0f\31%.0f\31%s\31%.0f\31%d\31%s\31%s\31%s\31%s',
    head.g, head.r, head.w, head.n, head.m, head.l, head.e, head.oe, head.on, head.ws, head.uk, head.us, head.u
  )
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

-- The last place of an id: its index, and its token if the turn is open. A place is 'index', '@' and the token if there
-- is one, ':' and the revision of the last update if there was one; several are separated by spaces.
local function last_place(places)
  local index, token = string.match(places, '(%d+)@?([%w_-]*):?%d*$')
  return tonumber(index), token
end

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
--   on lanes of operations since the oldest were dropped
--   ws workspace: 'n' for none, else 'w' and its id
--   uk instant of updatedAt
--   us stamp of its entries in the indexes
--   u  updatedAt (JSON)
-- unpack takes about 8,000 values.
local CHUNK = 4000

local function integer(value)
  return string.format('%d', value)
end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Reads a state, with counts and times as text. If it is not valid: nil, and the workspace if it has one.
local function parse_state(state)
  local g, r, w, n, m, l, e, oe, on, ws, from = string.match(
    state,
    '^1\31([^\31]*)\31(%d+)\31(%d+)\31(%d+)\31(%d+)\31(%d+)\31(%d*)\31(%d+)\31(%d+)\31([nw][^\31]*)\31()'
  )
  if not g or ws == 'w' or (ws ~= 'n' and string.byte(ws) == 110) then return nil end
  -- The last three values are long. Searching for their ends is faster than a pattern.
  local first = string.find(state, '\31', from, true)
  local second = first and string.find(state, '\31', first + 1, true)
  if not second or string.find(state, '\31', second + 1, true) then return nil, ws end
  return {
    c = state, g = g, r = r, w = w, n = n, m = m, l = l, e = e, oe = oe, on = on, ws = ws,
    uk = string.sub(state, from, first - 1), us = string.sub(state, first + 1, second - 1),
    u = string.sub(state, second + 1),
  }
end

-- As `read_head`, for a script that needs few of the counts: they are text.
local function read_head_as_text(keys, scope)
  local state = redis.call('HGET', keys[1], 'c')
  local head = state and parse_state(state)
  if head and (scope == '*' or scope == head.ws) then return head end
  -- include refusal
  return nil, refusal_of(keys, state, head)
end

-- Returns the state; or nil and a reply with the reason. The keys are all of the session.
local function read_head(keys, scope)
  local head, refusal = read_head_as_text(keys, scope)
  if not head then return nil, refusal end
  for _, name in ipairs({ 'r', 'w', 'n', 'm', 'l', 'oe', 'on' }) do head[name] = tonumber(head[name]) end
  return head
end

-- The text of a state. Its counts and times, as text or as numbers, are far below those that Lua would round.
local function state_of(head)
  return '1\31' .. head.g .. '\31' .. head.r .. '\31' .. head.w .. '\31' .. head.n .. '\31' .. head.m .. '\31' .. head.l
    .. '\31' .. head.e .. '\31' .. head.oe .. '\31' .. head.on .. '\31' .. head.ws .. '\31' .. head.uk .. '\31'
    .. head.us .. '\31' .. head.u
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

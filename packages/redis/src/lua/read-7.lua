-- Reads the head, a range of turns and a range of transitions at one moment. A limit on bytes keeps a long session from
-- blocking the server: the next call goes on where this one ended, and gives what has changed in between.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- KEYS[5]  results of operations
-- KEYS[6]  parts
-- KEYS[7]  remembered changes
-- ARGV[1]  scope: '*', or a workspace as in the head
-- ARGV[2]  which turns: 'last', 'from' or 'id'
-- ARGV[3]  the number of turns for 'last', the first index for 'from', the id field for 'id'
-- ARGV[4]  for 'from': the end of the range
-- ARGV[5]  for 'from': if the turn at the first index is open and was read in part: the list to go on with, else ''
-- ARGV[6]  the place to go on with, or ''
-- ARGV[7]  'parts', or 'heads' to read open turns without their parts
-- ARGV[8]  first transition
-- ARGV[9]  most transitions
-- ARGV[10] number of changes that the log had before, or ''
-- ARGV[11] limit in bytes
--
-- Returns 'ok', c, f, d, ck, cs, index of the first turn, end of the range, where to go on: index, list and place;
--           number of ids, number of fields of parts, number of turns, number of transitions, the turns, the transitions,
--           and the names and values of what was read of parts and of what has changed
--      or 'stale': the log does not go back so far
--      or 'missing', 'elsewhere' for another workspace | 'newer', version | 'corrupt', reason
-- include session
-- include damage
-- include parts
-- include reading
local head_key, turns_key, ids_key, transitions_key, _, parts_key, remembered_key = unpack(KEYS, 1, 7)
local scope, kind, start, range_end, list, place, what, first_transition, most_transitions = unpack(ARGV, 1, 9)
local since, limit = unpack(ARGV, 10, 11)
local head, refusal = read_head(KEYS, scope)
if not head then return refusal end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local texts = redis.call('HMGET', head_key, 'f', 'd', 'ck', 'cs')
if not (texts[1] and texts[2] and texts[3] and texts[4]) then return { 'corrupt', 'it lacks a member' } end
local remembered = redis.call('HLEN', remembered_key)
if remembered > 0 then
  local count = redis.call('HGET', remembered_key, '#') or ''
  if not string.find(count, '^%d+$') or remembered ~= 1 + 2 * math.min(tonumber(count), 256) then
    return { 'corrupt', 'remembered changes are missing or too many' }
  end
end

local first, turns_end
if kind == 'last' then
  first, turns_end = math.max(0, head.n - tonumber(start)), head.n
elseif kind == 'from' then
  first = math.min(tonumber(start), head.n)
  turns_end = math.min(head.n, tonumber(range_end))
else
  local places = redis.call('HGET', ids_key, start)
  first = places and last_place(places) or head.n
  if places and first >= head.n then return { 'corrupt', 'the place of a turn is invalid' } end
  turns_end = math.min(head.n, first + 1)
end

local turns, transitions, values = {}, {}, {}
if since ~= '' and not add_changes(values, KEYS, head, tonumber(since)) then return { 'stale' } end
local bytes, index = 0, first
limit = tonumber(limit)

-- The tokens of open turns without their parts.
local heads = {}

-- Reads the parts of an open turn. False if the limit was reached first: then `list` and `place` say where.
local function add_open(token)
  if what == 'heads' then
    heads[#heads + 1] = token
    return true
  end
  local text = redis.call('HGET', parts_key, token)
  local open = read_open(text)
  if not open then
    damaged = PARTS_MISSING
    return true
  end
  values[#values + 1] = token
  values[#values + 1] = text
  while true do
    local read
    place, read = add_parts(values, parts_key, token, list, open, place, open[list].next, limit - bytes)
    bytes = bytes + read
    if place < open[list].next then return false end
    if list == 'i' then return true end
    list, place = 'i', 0
  end
end

-- The text that reaches the limit is still added, whatever its size.
local is_resumed, is_inside = list ~= '', false
if is_resumed then place = tonumber(place) else list, place = 'c', 0 end
while index < turns_end and bytes < limit and not damaged do
  local part = redis.call('LRANGE', turns_key, index, math.min(turns_end, index + 64) - 1)
  for _, text in ipairs(part) do
    if not is_resumed then
      turns[#turns + 1] = text
      bytes = bytes + #text
    end
    is_resumed = false
    local token = string.match(text, '^([%w_-]+){')
    if token and not add_open(token) then
      is_inside = true
      break
    end
    index, list, place = index + 1, 'c', 0
    if bytes >= limit then break end
  end
  if #part == 0 or is_inside then break end
end
if #heads > 0 then
  for at, text in ipairs(get_all(parts_key, heads, 1, #heads)) do
    if not read_open(text) then damaged = PARTS_MISSING end
    values[#values + 1] = heads[at]
    values[#values + 1] = text or ''
  end
end
if damaged then return damaged end

local from = math.min(tonumber(first_transition), head.m)
local transitions_end = math.min(head.m, from + tonumber(most_transitions))
while from < transitions_end and bytes < limit do
  local part = redis.call('LRANGE', transitions_key, from, math.min(transitions_end, from + 64) - 1)
  for _, text in ipairs(part) do
    transitions[#transitions + 1] = text
    bytes, from = bytes + #text, from + 1
    if bytes >= limit then break end
  end
  if #part == 0 then break end
end

local reply = {
  'ok', head.c, texts[1], texts[2], texts[3], texts[4], integer(first), integer(turns_end), integer(index),
  is_inside and list or '', is_inside and integer(place) or '', integer(redis.call('HLEN', ids_key)),
  integer(redis.call('HLEN', parts_key)), integer(#turns), integer(#transitions),
}
for _, texts_of in ipairs({ turns, transitions, values }) do
  for _, text in ipairs(texts_of) do reply[#reply + 1] = text end
end
return reply

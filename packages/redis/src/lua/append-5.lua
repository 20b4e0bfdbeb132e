-- Appends turns and transitions: the one script of most calls. What is not plainly new or plainly a
-- repetition is left to the client to decide, with nothing written.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations; on one server also its indexes by updatedAt
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 ttl in ms or 0, 4 scope: '*' or a workspace as in the head,
--       5 revision that the session must be at, or '', 6 updatedAt (JSON), 7 its instant, 8 stamp of its index entries,
--       9 id of the session, 10 number of turns, 11 number of transitions, then for each turn its id field and its text, then for each
--       transition its id field or '' and its text
-- reply 'ok' | 'same', revision, turns, places in the batch of turns that were there, workspace,
--         instant and stamp of updatedAt, and the two as they were before
--       'decide' | 'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local now = now_ms()
local earlier = begin_operation(KEYS[5], ARGV[1], ARGV[2], now)
if earlier then return earlier end
local head, refusal = read_head(KEYS[1], ARGV[4])
if not head then return refusal end
if ARGV[5] ~= '' and tonumber(ARGV[5]) ~= head.r then return { 'decide' } end

local turns, transitions = tonumber(ARGV[10]), tonumber(ARGV[11])
local fields = {}
for index = 0, turns - 1 do fields[#fields + 1] = ARGV[12 + 2 * index] end
local behind = 12 + 2 * turns
for index = 0, transitions - 1 do
  -- One without an id is never taken for another; no id has an empty field.
  fields[#fields + 1] = ARGV[behind + 2 * index]
end
local places = get_all(KEYS[3], fields)

-- Adds to the end of a list of this length; false, with nothing added, where it has another. It spares the
-- question before, which would cost each append a command.
local function push_all(key, values, length)
  if #values == 0 then return true end
  local found
  for from = 1, #values, CHUNK do
    found = redis.call('RPUSH', key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
  end
  if found == length + #values then return true end
  for _ = 1, #values do redis.call('RPOP', key) end
  return false
end

local new_turns, new_transitions, new_ids, repeated = {}, {}, {}, {}
for index = 0, turns - 1 do
  local text = ARGV[13 + 2 * index]
  local known = places[index + 1]
  if not known then
    new_ids[#new_ids + 1] = fields[index + 1]
    new_ids[#new_ids + 1] = integer(head.n + #new_turns)
    new_turns[#new_turns + 1] = text
  elseif redis.call('LINDEX', KEYS[2], last_place(known)) == text then
    repeated[#repeated + 1] = index
  else
    return { 'decide' }
  end
end
for index = 0, transitions - 1 do
  local text = ARGV[behind + 2 * index + 1]
  local known = places[turns + index + 1]
  if not known then
    if fields[turns + index + 1] ~= '' then
      new_ids[#new_ids + 1] = fields[turns + index + 1]
      new_ids[#new_ids + 1] = integer(head.m + #new_transitions)
    end
    new_transitions[#new_transitions + 1] = text
  elseif redis.call('LINDEX', KEYS[4], last_place(known)) ~= text then
    return { 'decide' }
  end
end

local repetitions = table.concat(repeated, ',')
if #new_turns == 0 and #new_transitions == 0 then
  return { 'same', integer(head.r), integer(head.n), repetitions, head.ws, head.uk, head.us, head.uk, head.us }
end

if #new_transitions > 0 and redis.call('LLEN', KEYS[4]) ~= head.m then
  return { 'corrupt', 'transitions are missing or too many' }
end
local moves = ARGV[7] > head.uk
if moves then add_entries(KEYS, ARGV[9], ARGV[7], ARGV[8]) end
if not push_all(KEYS[2], new_turns, head.n) then return { 'corrupt', 'turns are missing or too many' } end
call_all('RPUSH', KEYS[4], new_transitions)
call_all('HSET', KEYS[3], new_ids)
local count = integer(head.n + #new_turns)
local revision = integer(head.r + 1)
local set = { 'r', revision, 'n', count }
local function put(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
if #new_transitions > 0 then put('m', integer(head.m + #new_transitions)) end
local uk, us = head.uk, head.us
if moves then
  uk, us = ARGV[7], ARGV[8]
  put('u', ARGV[6])
  put('uk', uk)
  put('us', us)
  remove_entries(KEYS, ARGV[9], head.uk, head.us)
end
local expiry, results = expiry_of(ARGV[3], head, now), results_expiry(head, now)
if expiry then put('e', expiry) end
if results then put('x', results) end
redis.call('HSET', KEYS[1], unpack(set))
expire_all(expiry, { KEYS[1], KEYS[2], KEYS[3], KEYS[4] })
return end_operation(
  KEYS[5], ARGV[1], { 'ok', revision, count, repetitions, head.ws, uk, us, head.uk, head.us }, now, head.r + 1, results
)

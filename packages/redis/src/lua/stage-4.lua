-- Stages a part of a long session for `save`. A part that is delivered twice is added once.
--
-- KEYS[1]  staged turns
-- KEYS[2]  staged ids
-- KEYS[3]  staged transitions
-- KEYS[4]  staged parts
-- ARGV[1]  token, which is part of the names of the keys
-- ARGV[2]  deadline, in ms of the server's clock
-- ARGV[3]  ms until the staged keys expire
-- ARGV[4]  number of turns staged before
-- ARGV[5]  number of transitions staged before
-- ARGV[6]  number of turns in this part
-- ARGV[7]  number of transitions in this part
-- ARGV[8]  number of ids in this part
-- ARGV[9]  number of fields of the hash of parts in this part
-- ARGV[10...] the turns, the transitions, for each id its field and places, and the fields and values for the hash of
--          parts
--
-- Returns 'ok' | 'unstaged': an earlier part is gone | 'late', server's ms
-- include session
-- include arguments
local turns_key, ids_key, transitions_key, parts_key = unpack(KEYS, 1, 4)
local _, deadline, expires_in, turns_before, transitions_before = unpack(ARGV, 1, 5)
local turn_count, transition_count, id_count, part_count = unpack(ARGV, 6, 9)
local now = now_ms()
if now > tonumber(deadline) then return { 'late', integer(now) } end
local next_values = values_from(10)
local turns, transitions = next_values(tonumber(turn_count)), next_values(tonumber(transition_count))
local ids, parts = next_values(2 * tonumber(id_count)), next_values(2 * tonumber(part_count))
local function add(key, before, values)
  local length = redis.call('LLEN', key)
  if length == before then call_all('RPUSH', key, values) end
  return length == before or length == before + #values
end
if not add(turns_key, tonumber(turns_before), turns) then return { 'unstaged' } end
if not add(transitions_key, tonumber(transitions_before), transitions) then return { 'unstaged' } end
call_all('HSET', ids_key, ids)
call_all('HSET', parts_key, parts)
for index = 1, 4 do redis.call('PEXPIREAT', KEYS[index], integer(now + tonumber(expires_in))) end
return { 'ok' }

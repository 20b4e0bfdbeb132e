-- Carries out a plan that a client made, on condition that what the plan was based on is unchanged.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations; on one server also its indexes by updatedAt
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 ttlMs or 0, 4 generation that was read,
--       5 revision that was read, where the plan depends on it, or '',
--       6 revision of the last change that did more than append, where the plan depends on it, or '',
--       7 updatedAt (JSON), 8 its instant, 9 stamp of its index entries,
--       10 id of the session, 11 metadata (JSON) or '', 12 frame (JSON) or '', 13 how many turns stay, or '',
--       14 generation from then on, 15 token by which the others were asked to wait, or '',
--       then five lists, each behind its length: ids that were looked up and what was found (field, places or '');
--       ids of dropped turns (field, the places that stay or ''); turns to replace (field, places before it, index,
--       text); turns to append (field, text); transitions to append (field or '', text);
--       and where turns are dropped the transitions that stay (field or '', text)
-- reply 'ok', revision, turns, '', workspace, instant and stamp of updatedAt, and the two as they were before
--       'stale' | 'held' | 'late', server's ms | 'missing' | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local now = now_ms()
local earlier = begin_operation(KEYS[5], ARGV[1], ARGV[2], now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, '*')
if not head then return refusal end
if is_held(head, ARGV[15], now) then return { 'held' } end
local damaged = damage(head, KEYS[2], KEYS[4])
if damaged then return damaged end
local is_moved = (ARGV[5] ~= '' and tonumber(ARGV[5]) ~= head.r) or (ARGV[6] ~= '' and tonumber(ARGV[6]) ~= head.w)
if head.g ~= ARGV[4] or is_moved then
  return { 'stale' }
end

local moves = ARGV[8] > head.uk

local at = 16
local function next_list(width)
  local rows = {}
  local count = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, count do
    rows[#rows + 1] = { unpack(ARGV, at, at + width - 1) }
    at = at + width
  end
  return rows
end

local seen = next_list(2)
local fields = {}
for index, row in ipairs(seen) do fields[index] = row[1] end
local places = get_all(KEYS[3], fields, 1, #fields)
for index, row in ipairs(seen) do
  if (places[index] or '') ~= row[2] then return { 'stale' } end
end

local dropped, replaced = next_list(2), next_list(4)
local appended, handovers, kept_handovers = next_list(2), next_list(2), next_list(2)
local revision = integer(head.r + 1)
local count, handover_count = head.n, head.m
local set_ids, drop_ids, texts = {}, {}, {}
-- The transitions that stay move up, so they are written anew with the places of their ids.
local function add_handovers(rows)
  for _, row in ipairs(rows) do
    texts[#texts + 1] = row[2]
    if row[1] ~= '' then
      set_ids[#set_ids + 1] = row[1]
      set_ids[#set_ids + 1] = integer(handover_count)
    end
    handover_count = handover_count + 1
  end
end

if moves then add_entries(KEYS, ARGV[10], ARGV[8], ARGV[9]) end
if ARGV[13] ~= '' then
  count = tonumber(ARGV[13])
  handover_count = 0
  if count == 0 then
    redis.call('DEL', KEYS[2])
  else
    redis.call('LTRIM', KEYS[2], 0, count - 1)
  end
  redis.call('DEL', KEYS[4])
  for _, row in ipairs(dropped) do
    if row[2] == '' then
      drop_ids[#drop_ids + 1] = row[1]
    else
      set_ids[#set_ids + 1] = row[1]
      set_ids[#set_ids + 1] = row[2]
    end
  end
  call_all('HDEL', KEYS[3], drop_ids)
  add_handovers(kept_handovers)
end
for _, row in ipairs(replaced) do
  redis.call('LSET', KEYS[2], row[3], row[4])
  set_ids[#set_ids + 1] = row[1]
  set_ids[#set_ids + 1] = row[2] .. row[3] .. ':' .. revision
end
local turns = {}
for _, row in ipairs(appended) do
  set_ids[#set_ids + 1] = row[1]
  set_ids[#set_ids + 1] = integer(count)
  turns[#turns + 1] = row[2]
  count = count + 1
end
add_handovers(handovers)
call_all('RPUSH', KEYS[2], turns)
call_all('RPUSH', KEYS[4], texts)
call_all('HSET', KEYS[3], set_ids)

local set = {
  'r', revision, 'w', revision, 'n', integer(count), 'm', integer(handover_count), 'g', ARGV[14],
}
local function put(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
local uk, us = head.uk, head.us
if moves then
  uk, us = ARGV[8], ARGV[9]
  put('u', ARGV[7])
  put('uk', uk)
  put('us', us)
  remove_entries(KEYS, ARGV[10], head.uk, head.us)
end
if ARGV[11] ~= '' then put('d', ARGV[11]) end
if ARGV[12] ~= '' then put('f', ARGV[12]) end
local expiry, results = expiry_of(ARGV[3], head, now), results_expiry(head, now)
if expiry then put('e', expiry) end
if results then put('x', results) end
redis.call('HSET', KEYS[1], unpack(set))
if head.hold then redis.call('HDEL', KEYS[1], 'h') end
expire_all(expiry, KEYS)
return end_operation(
  KEYS[5], ARGV[1], { 'ok', revision, integer(count), '', head.ws, uk, us, head.uk, head.us },
  rank_of(now, false), results, now
)

-- Writes a plan that a client made, if what the plan was based on is unchanged.
--
-- KEYS[1]   head
-- KEYS[2]   turns
-- KEYS[3]   ids
-- KEYS[4]   transitions
-- KEYS[5]   results of operations
-- KEYS[6...]  on one server: the indexes by updatedAt
-- ARGV[1]   token
-- ARGV[2]   deadline, in ms of the server's clock
-- ARGV[3]   ttlMs, or 0
-- ARGV[4]   generation that was read
-- ARGV[5]   revision that was read, if the plan depends on it, or ''
-- ARGV[6]   revision of the last change other than an append, if the plan depends on it, or ''
-- ARGV[7]   updatedAt (JSON)
-- ARGV[8]   its instant
-- ARGV[9]   stamp of its index entries
-- ARGV[10]  id of the session
-- ARGV[11]  metadata (JSON), or ''
-- ARGV[12]  frame (JSON), or ''
-- ARGV[13]  number of turns to keep, or ''
-- ARGV[14]  new generation
-- ARGV[15...] six lists, each after its length:
--           ids that were looked up: field, places or ''
--           ids of dropped turns: field, places that stay or ''
--           turns to replace: field, places before the last one, index, text
--           turns to append: field, text
--           transitions to append: field or '', text
--           transitions to keep, if turns are dropped: field or '', text
--
-- Returns 'ok', revision, turn count, '', workspace, instant and stamp of updatedAt, the two before the call
--      or 'stale' | 'late', server's ms | 'missing' | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local head_key, turns_key, ids_key, transitions_key, results_key = unpack(KEYS, 1, 5)
local token, deadline, ttl_ms, generation, read_revision, read_wide_revision = unpack(ARGV, 1, 6)
local updated_at, updated_instant, stamp, session_id, metadata, frame = unpack(ARGV, 7, 12)
local keep_turns, new_generation = unpack(ARGV, 13, 14)
local now = now_ms()
local earlier = begin_operation(results_key, token, deadline, now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, '*')
if not head then return refusal end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local is_changed = (read_revision ~= '' and tonumber(read_revision) ~= head.r)
  or (read_wide_revision ~= '' and tonumber(read_wide_revision) ~= head.w)
if head.g ~= generation or is_changed then return { 'stale' } end

local moves = updated_instant > head.uk

local at = 15
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
local places = get_all(ids_key, fields, 1, #fields)
for index, row in ipairs(seen) do
  if (places[index] or '') ~= row[2] then return { 'stale' } end
end

local dropped, replaced, appended = next_list(2), next_list(4), next_list(2)
local new_transitions, kept_transitions = next_list(2), next_list(2)
local revision = integer(head.r + 1)
local count, transition_count = head.n, head.m
local set_ids, drop_ids, transitions = {}, {}, {}
local function add_transitions(rows)
  for _, row in ipairs(rows) do
    transitions[#transitions + 1] = row[2]
    if row[1] ~= '' then
      set_ids[#set_ids + 1] = row[1]
      set_ids[#set_ids + 1] = integer(transition_count)
    end
    transition_count = transition_count + 1
  end
end

if moves then add_entries(KEYS, session_id, updated_instant, stamp) end
if keep_turns ~= '' then
  count = tonumber(keep_turns)
  transition_count = 0
  if count == 0 then
    redis.call('DEL', turns_key)
  else
    redis.call('LTRIM', turns_key, 0, count - 1)
  end
  redis.call('DEL', transitions_key)
  for _, row in ipairs(dropped) do
    if row[2] == '' then
      drop_ids[#drop_ids + 1] = row[1]
    else
      set_ids[#set_ids + 1] = row[1]
      set_ids[#set_ids + 1] = row[2]
    end
  end
  call_all('HDEL', ids_key, drop_ids)
  -- The transitions that stay get new places, so they are written again.
  add_transitions(kept_transitions)
end
for _, row in ipairs(replaced) do
  redis.call('LSET', turns_key, row[3], row[4])
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
add_transitions(new_transitions)
call_all('RPUSH', turns_key, turns)
call_all('RPUSH', transitions_key, transitions)
call_all('HSET', ids_key, set_ids)

local set = {
  'r', revision, 'w', revision, 'n', integer(count), 'm', integer(transition_count), 'g', new_generation,
}
local function put(field, value)
  set[#set + 1] = field
  set[#set + 1] = value
end
local uk, us = head.uk, head.us
if moves then
  uk, us = updated_instant, stamp
  put('u', updated_at)
  put('uk', uk)
  put('us', us)
  remove_entries(KEYS, session_id, head.uk, head.us)
end
if metadata ~= '' then put('d', metadata) end
if frame ~= '' then put('f', frame) end
local expiry = expiry_of(ttl_ms, head, now)
if expiry then put('e', expiry) end
redis.call('HSET', head_key, unpack(set))
expire_all(expiry, KEYS)
return end_operation(
  results_key, token, { 'ok', revision, integer(count), '', head.ws, uk, us, head.uk, head.us },
  rank_of(now, false), now
)

-- Creates or replaces a session as a whole, out of what comes with the call or out of what was staged before.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations; where it was staged: 6 turns, 7 ids, 8 transitions
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 ttlMs or 0, 4 workspace as in the head,
--       5 revision that the session must be at (0: must not exist), or '', 6 generation,
--       7 frame (JSON), 8 metadata (JSON), 9 updatedAt (JSON), 10 its instant, 11 its stamp,
--       12 instant of createdAt, 13 its stamp, 14 number of turns, 15 number of transitions,
--       16 generation of the session that was read as a whole, or '' where there was none;
--       and where nothing was staged 17 number of ids, the turns, the transitions, and for each id its field and places
-- reply 'ok', revision, turns, '', workspace, instant and stamp of updatedAt, the two as they were before
--         ('' for none), instant and stamp of createdAt as they were before
--       'exists' | 'conflict', revision | 'stale' | 'unstaged' | 'held' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include arguments
local now = now_ms()
local earlier = begin_operation(KEYS[5], ARGV[1], ARGV[2], now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, '*')
if not head and refusal[1] ~= 'missing' then return refusal end
if head and is_held(head, '', now) then return { 'held' } end
if head and head.ws ~= ARGV[4] then
  if not workspace_of(head.ws, redis.call('HGET', KEYS[1], 'f')) then
    return { 'corrupt', 'its head names two workspaces' }
  end
  return { 'exists' }
end
local revision = head and head.r or 0
if ARGV[5] ~= '' and tonumber(ARGV[5]) ~= revision then return { 'conflict', integer(revision) } end
if head then
  -- Nobody has looked whether what it would replace can be read. What scripts have changed since can.
  if head.g ~= ARGV[16] then return { 'stale' } end
  local damaged = damage(head, KEYS[2], KEYS[4])
  if damaged then return damaged end
end
for index, kind in ipairs({ 'hash', 'list', 'hash', 'list' }) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= 'none' and found ~= kind then return { 'corrupt', 'one of its keys is a ' .. found } end
end

local turns, transitions = tonumber(ARGV[14]), tonumber(ARGV[15])
local staged = KEYS[6] ~= nil
if staged and (redis.call('LLEN', KEYS[6]) ~= turns or redis.call('LLEN', KEYS[8]) ~= transitions) then
  return { 'unstaged' }
end
-- An instant that stays keeps its entry, so that no listing under way finds it gone from where it comes by next.
local us = head and head.uk == ARGV[10] and head.us or ARGV[11]
local cs = head and head.ck == ARGV[12] and head.cs or ARGV[13]
local set = {
  'v', SCHEMA, 'g', ARGV[6], 'r', integer(revision + 1), 'w', integer(revision + 1),
  'n', integer(turns), 'm', integer(transitions), 'ws', ARGV[4], 'f', ARGV[7], 'd', ARGV[8],
  'u', ARGV[9], 'uk', ARGV[10], 'us', us, 'ck', ARGV[12], 'cs', cs,
}
local expiry, results = expiry_of(ARGV[3], head, now), results_expiry(nil, now)
set[#set + 1] = 'x'
set[#set + 1] = results
if expiry then
  set[#set + 1] = 'e'
  set[#set + 1] = expiry
end
-- First of all, so that a full server refuses before anything is gone.
redis.call('HSET', KEYS[1], unpack(set))
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
if staged then
  for index = 2, 4 do
    if redis.call('EXISTS', KEYS[index + 4]) == 1 then
      redis.call('RENAME', KEYS[index + 4], KEYS[index])
      redis.call('PERSIST', KEYS[index])
    end
  end
else
  local next_values = values_from(18)
  call_all('RPUSH', KEYS[2], next_values(turns))
  call_all('RPUSH', KEYS[4], next_values(transitions))
  call_all('HSET', KEYS[3], next_values(2 * tonumber(ARGV[17])))
end
expire_all(expiry, KEYS)
return end_operation(KEYS[5], ARGV[1], {
  'ok', integer(revision + 1), integer(turns), '', ARGV[4], ARGV[10], us,
  head and head.uk or '', head and head.us or '', head and head.ck or '', head and head.cs or '',
}, rank_of(now, false), results, now)

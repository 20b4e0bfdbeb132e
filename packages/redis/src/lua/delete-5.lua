-- Deletes a session that was read as a whole before. The results of its last operations stay for a while, so that a deletion which is
-- delivered again does not reach the session that comes after it.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 scope: '*' or a workspace as in the head,
--       4 generation that was read
-- reply 'ok', workspace, instant and stamp of updatedAt, instant and stamp of createdAt
--       'stale' | 'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
local now = now_ms()
local earlier = begin_operation(KEYS[5], ARGV[1], ARGV[2], now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, ARGV[3])
if not head then return refusal end
if head.g ~= ARGV[4] then return { 'stale' } end
local damaged = damage(head, KEYS[2], KEYS[4])
if damaged then return damaged end
-- First of all: a full server takes what needs room only from a script that has made some.
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
return end_operation(
  KEYS[5], ARGV[1], { 'ok', head.ws, head.uk, head.us, head.ck, head.cs }, rank_of(now, false),
  results_expiry(nil, now), now
)

-- Ends a hold whose change was not written.
--
-- KEYS[1]  head
-- ARGV[1]  token of the hold
--
-- Returns 'ok'
local hold = redis.call('HGET', KEYS[1], 'h')
if hold and string.match(hold, '^%S+') == ARGV[1] then redis.call('HDEL', KEYS[1], 'h') end
return { 'ok' }

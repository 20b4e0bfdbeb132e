-- Lets the others go on who were asked to wait, where nothing came to be written.
--
-- KEYS  1 head
-- ARGV  1 token by which they were asked
-- reply 'ok'
local hold = redis.call('HGET', KEYS[1], 'h')
if hold and string.match(hold, '^%S+') == ARGV[1] then redis.call('HDEL', KEYS[1], 'h') end
return { 'ok' }

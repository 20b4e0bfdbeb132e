-- Adds entries to indexes and takes entries away. On a Cluster it is called for each index by itself.
--
-- KEYS  any number of indexes
-- ARGV  for each: number of entries to add, number of entries to take away, the ones, the others
-- reply 'ok'
local at = 1
for _, key in ipairs(KEYS) do
  local adds, removals = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  at = at + 2
  for index = at, at + adds - 1 do redis.call('ZADD', key, 0, ARGV[index]) end
  at = at + adds
  for index = at, at + removals - 1 do redis.call('ZREM', key, ARGV[index]) end
  at = at + removals
end
return { 'ok' }

-- Adds entries to indexes and removes entries. On a Cluster each call has one index.
--
-- KEYS[1...]  indexes
-- ARGV[1...]  for each index: number of entries to add, number of entries to remove, the entries to add, the entries to
--           remove
--
-- Returns 'ok'
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

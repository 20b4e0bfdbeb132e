-- On one server, a script moves the index entries of its session itself: the keys from the eighth on are those indexes.
-- The new entries are its first write, so if a key is not an index, nothing else has been written. An entry that is
-- there too early does no harm, since its stamp is not the head's.

local function add_entries(keys, id, time, stamp)
  local member = time .. ' ' .. id .. '\31' .. stamp
  for at = 8, #keys do redis.call('ZADD', keys[at], 0, member) end
end

local function remove_entries(keys, id, time, stamp)
  local member = time .. ' ' .. id .. '\31' .. stamp
  for at = 8, #keys do redis.call('ZREM', keys[at], member) end
end

-- Where one server holds everything, a script moves the entries of its session in the indexes itself: the
-- keys from the sixth on are those indexes. The new entries are its first write, so that a key which is no
-- index fails it before anything else is done; one that is in an index too early is told by its stamp.

local function add_entries(keys, id, time, stamp)
  local member = time .. ' ' .. id .. '\31' .. stamp
  for at = 6, #keys do redis.call('ZADD', keys[at], 0, member) end
end

local function remove_entries(keys, id, time, stamp)
  local member = time .. ' ' .. id .. '\31' .. stamp
  for at = 6, #keys do redis.call('ZREM', keys[at], member) end
end

-- Drops all but the lanes that were used last. It runs after the writes of a script, so nothing here may fail.
local function forget_oldest(key)
  local results, times, sorted, old = redis.call('HGETALL', key), {}, {}, {}
  for at = 2, #results, 2 do
    local time = tonumber(string.match(results[at], '^%d+\31(%d+)') or 0)
    times[at / 2], sorted[at / 2] = time, time
  end
  table.sort(sorted)
  local least = sorted[#sorted - KEPT_LANES + 1] or 0
  for index, time in ipairs(times) do
    if time < least then old[#old + 1] = results[2 * index - 1] end
  end
  call_all('HDEL', key, old)
end

-- include forget-oldest

-- Keeps the result of a script after which the session has a new state or none.
local function end_operation(operation, reply)
  keep_result(operation, reply)
  redis.call('PEXPIREAT', operation.key, integer(operation.now + KEEP_RESULTS_MS))
  if redis.call('HLEN', operation.key) >= 2 * KEPT_LANES then forget_oldest(operation.key) end
  return reply
end

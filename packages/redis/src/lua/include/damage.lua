-- Nil if the lists have the lengths that the head says. Fails with WRONGTYPE if a key is not a list.
local function damage(head, turns, transitions)
  if redis.call('LLEN', turns) ~= head.n then return { 'corrupt', 'turns are missing or too many' } end
  if redis.call('LLEN', transitions) ~= head.m then return { 'corrupt', 'transitions are missing or too many' } end
  return nil
end

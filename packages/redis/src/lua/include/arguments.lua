-- Returns a function that takes the next `count` values of ARGV, the first of them at `at`.
local function values_from(at)
  return function(count)
    local values = {}
    for index = 1, count do values[index] = ARGV[at + index - 1] end
    at = at + count
    return values
  end
end

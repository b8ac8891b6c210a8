#!lua name=cardstate
-- Takes the place of the library of the layout before: its hosts find a version that they do not know, and stop.
local VERSION = 1000

-- From here on the old record belongs to one account. Repeatable.
-- KEYS: old record, its ATC window, key register. ARGV: the old name, the account's name.
-- Returns its fields, its window, and which issuer master key it was imported for; false where there is none.
local function seal(keys, args)
  local card = redis.call('HGETALL', keys[1])
  if #card == 0 then return false end
  redis.call('HSET', keys[1], 'to', args[2])
  return { card, redis.call('GET', keys[2]) or '', redis.call('HGET', keys[3], args[1]) or '' }
end

-- The account's first record, if there is none. What it was made of stands beside it until the old records are gone.
-- KEYS: record, filed transactions, journal, what it was made of. ARGV: their contents but the journal's, then the fields
-- of its line.
-- Returns the line's identifier; or false and what the record that is there was made of, '' where nothing says so.
local function create(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then return { false, redis.call('GET', keys[4]) or '' } end
  redis.call('SET', keys[2], args[2])
  redis.call('SET', keys[1], args[1])
  redis.call('SET', keys[4], args[3])
  return { redis.call('XADD', keys[3], '*', unpack(args, 4)) }
end

-- KEYS: old record, its ATC window, key register, names, journal. ARGV: the old name, the account's name, then the fields
-- of a journal line. Returns the line's identifier; false where it was removed before.
local function remove(keys, args)
  if redis.call('HGET', keys[1], 'to') ~= args[2] then return false end
  redis.call('DEL', keys[1], keys[2])
  redis.call('HDEL', keys[3], args[1])
  redis.call('HSET', keys[4], args[1], args[2])
  return redis.call('XADD', keys[5], '*', unpack(args, 3))
end

redis.register_function('cardstate_seal', seal)
redis.register_function('cardstate_create', create)
redis.register_function{ function_name = 'cardstate_remove', callback = remove, flags = { 'allow-oom' } }
redis.register_function{
  function_name = 'cardstate_version', callback = function() return VERSION end, flags = { 'no-writes' } }

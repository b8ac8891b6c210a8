#!lua name=cardstate
-- Card state of the issuer host. One call moves everything that one authorisation moves, or nothing.
-- All keys of a call lie in one hash slot: they share the {bNN} of the card's bucket.
local VERSION = 5

-- Reasons and findings are numbers that the host and the journal share; see DeclineReason and ATCFinding.
local STATUS_DECLINE = { lost = 2, stolen = 3, restricted = 4 }
local ATC_REPLAYED, ATC_OUT_OF_RANGE, PIN_WRONG, PIN_EXCEEDED = 13, 14, 15, 16
local NO_FUNDS, WRONG_CURRENCY = 19, 20
local DAILY_AMOUNT, DAILY_COUNT, ROLLING_AMOUNT, ROLLING_COUNT, CASH_AMOUNT, CASH_COUNT = 27, 28, 29, 30, 31, 32
local FIRST, AHEAD, LATE, REPLAYED, OUT_OF_RANGE = 1, 2, 3, 4, 5
-- How far back single ATCs are remembered.
local WINDOW = 2048
-- A kept answer, newest first: transmission (16 bytes), fingerprint (8), declined (1), code (6). Eight of them:
-- they are copied with every authorisation, so they are small and of one size.
local KEY, ANSWER, ANSWERS = 16, 31, 8

-- The answer given to this transmission before: fingerprint, declined and code, or nil.
local function answered(kept, transmission)
  if not kept or transmission == '' then return nil end
  local from = string.find(kept, transmission, 1, true)
  while from do
    if (from - 1) % ANSWER == 0 then return string.sub(kept, from + KEY, from + ANSWER - 1) end
    from = string.find(kept, transmission, from + 1, true)
  end
  return nil
end

local function keep(kept, transmission, fingerprint, declined, code)
  return transmission .. fingerprint .. string.char(declined) .. (declined == 0 and code or '------')
    .. string.sub(kept or '', 1, ANSWER * (ANSWERS - 1))
end

-- KEYS: card. ARGV: transmission.
local function read(keys, args)
  local c = redis.call('HMGET', keys[1], 'st', 'ex', 'pr', 'pm', 'pu', 'ah', 'av', 'cu', 'pf', 'rx', 'li', 'sc')
  if not c[1] then return false end
  return c[1] .. ';' .. (c[2] or '') .. ';' .. (c[3] or '') .. ';' .. (c[4] or '') .. ';' .. (c[5] or '') .. ';'
    .. (c[6] or '') .. ';' .. (c[7] or '') .. ';' .. (c[8] or '') .. ';' .. (c[9] or '') .. ';'
    .. (c[11] or '') .. ';' .. (c[12] or '') .. ';' .. (answered(c[10], args[1]) or '')
end

-- What the window says of an ATC whose cryptogram verified. Marks it as seen if it may pass.
local function claim_atc(key, highest, atc, jump_max, accept_late)
  local finding
  if not highest then
    finding = FIRST
  elseif atc > highest then
    if atc - highest > jump_max then return OUT_OF_RANGE, highest end
    finding = AHEAD
    -- The places between belong to ATCs of an earlier turn of the ring.
    local gap = atc - highest - 1
    if gap > 0 then
      for skipped = highest + 1, atc - 1 do redis.call('SETBIT', key, skipped % WINDOW, 0) end
    end
  else
    if highest - atc >= WINDOW then return OUT_OF_RANGE, highest end
    if redis.call('GETBIT', key, atc % WINDOW) == 1 then return REPLAYED, highest end
    if not accept_late then return OUT_OF_RANGE, highest end
    finding = LATE
  end
  redis.call('SETBIT', key, atc % WINDOW, 1)
  return finding, (finding == LATE) and highest or atc
end

local function over(value, bound) return bound ~= '-' and value > tonumber(bound) end

-- What a card spent on the days that still count, newest first, one part each: "day amount count cash cashes;".
-- LIMITS: "day kind dailyAmount dailyCount rollingAmount rollingCount rollingDays cashAmount cashCount", `-` for none.
-- Returns a reason to decline, or nil and the days with this amount among them.
local function spend(days, limits, amount)
  local day, kind, most, often, rolling_most, rolling_often, span, cash_most, cash_often = string.match(
    limits, '^(%d+) (%a) (%S+) (%S+) (%S+) (%S+) (%d+) (%S+) (%S+)$')
  day, span = tonumber(day), tonumber(span)
  -- Hosts do not agree on midnight to the second, and a clock may go back: the newest day that is known is today,
  -- so that no day is ever begun twice.
  local newest = tonumber(string.match(days or '', '^(%d+) '))
  if newest and newest > day then day = newest end
  local cash = kind == 'c' and amount or 0
  local today = { amount, 1, cash, kind == 'c' and 1 or 0 }
  local rolling, times, earlier = amount, 1, ''
  for d, a, n, c, m in string.gmatch(days or '', '(%d+) (%d+) (%d+) (%d+) (%d+);') do
    d = tonumber(d)
    if d == day then
      today = { today[1] + a, today[2] + n, today[3] + c, today[4] + m }
      rolling, times = rolling + a, times + n
    elseif d > day - 31 then
      earlier = earlier .. d .. ' ' .. a .. ' ' .. n .. ' ' .. c .. ' ' .. m .. ';'
      if d > day - span then rolling, times = rolling + a, times + n end
    end
  end
  if kind == 'c' and over(today[3], cash_most) then return CASH_AMOUNT end
  if kind == 'c' and over(today[4], cash_often) then return CASH_COUNT end
  if over(today[1], most) then return DAILY_AMOUNT end
  if over(today[2], often) then return DAILY_COUNT end
  if over(rolling, rolling_most) then return ROLLING_AMOUNT end
  if over(times, rolling_often) then return ROLLING_COUNT end
  return nil, string.format('%.0f %.0f %d %.0f %d;', day, today[1], today[2], today[3], today[4]) .. earlier
end

-- KEYS: card, ATC window, journal.
-- ARGV: transmission, fingerprint, declined, ATC or '', PIN evidence, amount, currency, approval code,
--       jump limit, accept late ATCs, journal entry, token, limits to count or ''.
-- Returns "repeated;declined;code;ATC finding;tries left;available".
local function commit(keys, args)
  local card = args[13] == '' and redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'ah', 'av', 'cu', 'rx')
    or redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'ah', 'av', 'cu', 'rx', 'sp')
  local known = card[1]
  local declined, code = tonumber(args[3]), args[8]
  local tries_max, tries_used = tonumber(card[2] or 0), tonumber(card[3] or 0)
  local highest, available = tonumber(card[4] or nil), tonumber(card[5] or 0)

  local earlier = known and answered(card[7], args[1])
  if earlier then
    local reason = string.byte(earlier, 9)
    return '1;' .. reason .. ';' .. (reason == 0 and string.sub(earlier, 10) or '-') .. ';0;'
      .. (tries_max - tries_used) .. ';' .. string.format('%.0f', available)
  end

  -- Between read and commit the card may have been blocked or removed.
  if declined == 0 then declined = known and (STATUS_DECLINE[known] or 0) or 1 end

  local finding = 0
  if known and args[4] ~= '' then
    finding, highest = claim_atc(
      keys[2], highest, tonumber(args[4]), tonumber(args[9]), args[10] == '1')
    if declined == 0 and finding == REPLAYED then declined = ATC_REPLAYED end
    if declined == 0 and finding == OUT_OF_RANGE then declined = ATC_OUT_OF_RANGE end
  end

  if declined == 0 and args[5] ~= '0' then
    if tries_used >= tries_max then
      declined = PIN_EXCEEDED
    elseif args[5] == '1' then
      tries_used = 0
    else
      tries_used = tries_used + 1
      declined = (tries_used >= tries_max) and PIN_EXCEEDED or PIN_WRONG
    end
  end

  if declined == 0 then
    local amount = tonumber(args[6])
    if args[7] ~= card[6] then
      declined = WRONG_CURRENCY
    elseif amount > available then
      declined = NO_FUNDS
    else
      local passed, days
      if args[13] ~= '' then passed, days = spend(card[8], args[13], amount) end
      if passed then
        declined = passed
      else
        available = available - amount
        if days then redis.call('HSET', keys[1], 'sp', days) end
      end
    end
  end

  if declined ~= 0 then code = '-' end
  -- Whole numbers below 2^53 are exact in Lua; %.0f prints them without an exponent.
  local left = string.format('%.0f', available)
  if known then
    local kept = card[7]
    if args[1] ~= '' then kept = keep(kept, args[1], args[2], declined, code) end
    if highest then
      redis.call('HSET', keys[1], 'pu', tries_used, 'ah', highest, 'av', left, 'rx', kept or '')
    elseif kept then
      redis.call('HSET', keys[1], 'rx', kept)
    end
  end
  local result = declined .. ';' .. code .. ';' .. finding .. ';' .. (tries_max - tries_used) .. ';' .. left
  redis.call('XADD', keys[3], '*', 'e', args[11], 'r', result, 'c', args[12])
  return '0;' .. result
end

-- KEYS: card, ATC window.
-- ARGV: status, expiry, PIN reference, PIN tries, available, currency, profile, forget ATCs ('1') or not, limits.
-- A card that is there keeps its ATCs and answers unless told otherwise; limits and PIN tries begin anew.
local function import(keys, args)
  if args[8] == '1' then redis.call('DEL', keys[1], keys[2]) else redis.call('HDEL', keys[1], 'sp') end
  redis.call('HSET', keys[1], 'st', args[1], 'ex', args[2], 'pr', args[3], 'pm', args[4], 'pu', 0,
    'av', args[5], 'cu', args[6], 'pf', args[7], 'li', args[9])
  return 1
end

-- What an operator changes, with a journal entry of its own.
-- KEYS: card, ATC window, journal. ARGV: operation, value, note (who, when, why), token.
-- Returns what stood there before, false for a card that is unknown.
local function change(keys, args)
  local card = redis.call('HMGET', keys[1], 'st', 'pu', 'ah')
  if not card[1] then return false end
  local before
  if args[1] == 'reset-atc' then
    before = card[3] or ''
    redis.call('HDEL', keys[1], 'ah')
    redis.call('DEL', keys[2])
  elseif args[1] == 'unblock-pin' then
    before = card[2]
    redis.call('HSET', keys[1], 'pu', 0)
  elseif args[1] == 'status' then
    before = card[1]
    redis.call('HSET', keys[1], 'st', args[2])
  else
    return redis.error_reply('ERR unknown operation')
  end
  redis.call('XADD', keys[3], '*', 'o', args[1] .. ';' .. args[2] .. ';' .. before .. ';' .. args[3], 'c', args[4])
  return before
end

redis.register_function{ function_name = 'cardstate_change', callback = change }
redis.register_function{ function_name = 'cardstate_read', callback = read, flags = { 'no-writes' } }
redis.register_function{ function_name = 'cardstate_commit', callback = commit }
redis.register_function{ function_name = 'cardstate_import', callback = import }
redis.register_function{
  function_name = 'cardstate_version', callback = function() return VERSION end, flags = { 'no-writes' } }

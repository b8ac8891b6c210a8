#!lua name=cardstate
-- Card state of the issuer host. One call moves everything that one message moves, or nothing.
-- All keys of a call lie in one hash slot: they share the {bNN} of the card's bucket.
-- The library is this file, reversals.lua, operators.lua and scripts.lua one behind the other.
local VERSION = 7

-- Reasons and findings are numbers that the host and the journal share; see DeclineReason and ATCFinding.
local STATUS_DECLINE = { lost = 2, stolen = 3, restricted = 4 }
local UNKNOWN_CARD, NO_CHIP_DATA, OTHER_CONTENT, REVERSED_BEFORE = 1, 7, 21, 40
local ATC_REPLAYED, ATC_OUT_OF_RANGE, PIN_WRONG, PIN_EXCEEDED = 13, 14, 15, 16
local NO_FUNDS, WRONG_CURRENCY = 19, 20
local DAILY_AMOUNT, DAILY_COUNT, ROLLING_AMOUNT, ROLLING_COUNT, CASH_AMOUNT, CASH_COUNT = 27, 28, 29, 30, 31, 32
local FIRST, AHEAD, LATE, REPLAYED, OUT_OF_RANGE = 1, 2, 3, 4, 5
-- Kinds of transactions, see TransactionKind; the last one is a reversal's own record.
local REFUND, ENQUIRY, REVERSAL = 4, 7, 8
-- How far back single ATCs are remembered.
local WINDOW = 2048

-- A kept answer, newest first: transmission (16 bytes: STAN and time 8, acquirer 4, reference 4), fingerprint (8),
-- declined (1), code (6), kind with flags (1), day (2), minor units taken (5), of them cash (5), nothing (3).
-- They are copied with every authorisation, so they are small and of one size; from eight to fifteen of them are kept.
-- What is older and took something goes to the card's takings, the last 64, which only reversals and advices read.
local KEY, ANSWER, ANSWERS_LEFT, ANSWERS_MAX, TAKINGS_MAX = 16, 47, 8, 16, 64
-- Flags beside the kind. Partial: less than asked for was approved. Settled: a later message replaced this one.
local PARTIAL, REVERSED, COUNTED, SETTLED = 16, 32, 64, 128
local NOTHING = '\0\0\0\0\0\0\0\0\0\0\0\0\0'
-- A reversal that came before its original: the original's transmission (16), remaining minor units (5).
local EARLY, EARLY_MAX = 21, 8

-- Small numbers as text: Lua prints a number through the C library's formatting of floating point.
local TEXT = {}
local function text(number)
  local digits = TEXT[number]
  if not digits then
    digits = string.format('%d', number)
    TEXT[number] = digits
  end
  return digits
end

local function has(flags, flag) return flags % (flag + flag) >= flag end

-- Amounts have twelve digits: five bytes hold them.
local function packed(number) return struct.pack('>I5', number) end
local function unpacked(text, from) return (struct.unpack('>I5', text, from)) end

-- The answer given to this transmission before, from its fingerprint on, or nil.
local function answered(kept, transmission)
  if not kept or transmission == '' then return nil end
  local from = string.find(kept, transmission, 1, true)
  while from do
    if (from - 1) % ANSWER == 0 then return string.sub(kept, from + KEY, from + ANSWER - 1) end
    from = string.find(kept, transmission, from + 1, true)
  end
  return nil
end

-- Moves what took something to the card's takings.
local function file_away(card_key, records)
  local takings = {}
  for from = 1, #records, ANSWER do
    local kind = string.byte(records, from + 31) % PARTIAL
    if string.byte(records, from + 24) == 0 and kind ~= ENQUIRY and kind ~= REVERSAL then
      takings[#takings + 1] = string.sub(records, from, from + ANSWER - 1)
    end
  end
  if #takings == 0 then return end
  takings[#takings + 1] = redis.call('HGET', card_key, 'tk') or ''
  redis.call('HSET', card_key, 'tk', string.sub(table.concat(takings), 1, ANSWER * TAKINGS_MAX))
end

local function keep(card_key, kept, record)
  kept = record .. (kept or '')
  if #kept < ANSWER * ANSWERS_MAX then return kept end
  file_away(card_key, string.sub(kept, ANSWER * ANSWERS_LEFT + 1))
  return string.sub(kept, 1, ANSWER * ANSWERS_LEFT)
end

-- KEYS: card. ARGV: transmission.
local function read(keys, args)
  local c = redis.call('HMGET', keys[1], 'st', 'ex', 'pr', 'pm', 'pu', 'ah', 'av', 'cu', 'pf', 'an', 'li', 'sc')
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
-- LIMITS: "day cash dailyAmount dailyCount rollingAmount rollingCount rollingDays cashAmount cashCount", `-` for none.
-- Returns a reason to decline, or nil, the days with this amount among them, and the day that it was counted on.
local function spend(days, limits, amount)
  local day, cash, most, often, rolling_most, rolling_often, span, cash_most, cash_often = string.match(
    limits, '^(%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%d+) (%S+) (%S+)$')
  day, span, cash = tonumber(day), tonumber(span), tonumber(cash)
  -- Hosts do not agree on midnight to the second, and a clock may go back: the newest day that is known is today,
  -- so that no day is ever begun twice.
  local newest = tonumber(string.match(days or '', '^(%d+) '))
  if newest and newest > day then day = newest end
  local today = { amount, 1, cash or 0, cash and 1 or 0 }
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
  if cash and over(today[3], cash_most) then return CASH_AMOUNT end
  if cash and over(today[4], cash_often) then return CASH_COUNT end
  if over(today[1], most) then return DAILY_AMOUNT end
  if over(today[2], often) then return DAILY_COUNT end
  if over(rolling, rolling_most) then return ROLLING_AMOUNT end
  if over(times, rolling_often) then return ROLLING_COUNT end
  return nil, string.format('%.0f %.0f %d %.0f %d;', day, today[1], today[2], today[3], today[4]) .. earlier, day
end

-- Finds the transaction that another message speaks of: by STAN, time and acquirer, otherwise by acquirer and
-- reference. What was settled has gone on under the same reference. Zeros stand for what that message did not name.
-- Returns its place, what is still taken, its parts, and whether anything can be given back; nil where there is none.
-- Doubtful: numbers were named, and all there is has other numbers and is done with. The one that was meant may come.
local UNKNOWN8, UNKNOWN4 = '\0\0\0\0\0\0\0\0', '\0\0\0\0'
local function locate(kept, takings, original)
  local all = (kept or '') .. (takings or '')
  local moment, reference = string.sub(original, 1, 12), string.sub(original, 9, 16)
  if string.sub(original, 1, 8) == UNKNOWN8 then moment = nil end
  if string.sub(original, 13, 16) == UNKNOWN4 then reference = nil end
  local best, rank = nil, 0
  for from = 1, #all, ANSWER do
    local flags = string.byte(all, from + 31)
    local kind = flags % PARTIAL
    if kind ~= ENQUIRY and kind ~= REVERSAL then
      local active = string.byte(all, from + 24) == 0 and not has(flags, REVERSED) and not has(flags, SETTLED)
      local this = 0
      if moment and string.sub(all, from, from + 11) == moment then
        this = has(flags, SETTLED) and 2 or 4
      elseif reference and string.sub(all, from + 8, from + 15) == reference then
        this = active and 3 or 1
      end
      if this > rank then
        rank, best = this, { from = from, flags = flags, kind = kind, active = active, by = this == 4 and 'd' or 'r',
          doubtful = this == 1 and moment ~= nil,
          declined = string.byte(all, from + 24), day = (struct.unpack('>I2', all, from + 32)),
          taken = unpacked(all, from + 34), cash = unpacked(all, from + 39) }
      end
    end
  end
  return best
end

-- Writes what is taken now, and a flag, into a record. Returns the kept answers.
local function mark(card_key, kept, takings, record, taken, flag)
  kept = kept or ''
  local flags = has(record.flags, flag) and record.flags or record.flags + flag
  local middle = string.char(flags) .. struct.pack('>I2', record.day) .. packed(taken)
    .. packed(math.min(record.cash, taken))
  local text, from = kept, record.from
  if from > #kept then text, from = takings, from - #kept end
  text = string.sub(text, 1, from + 30) .. middle .. string.sub(text, from + 44)
  if record.from <= #kept then return text end
  redis.call('HSET', card_key, 'tk', text)
  return kept
end

-- Takes an amount out of the day that it was counted on; the transaction too, if nothing of it is left.
local function give_back(days, record, amount, whole)
  if not days or not has(record.flags, COUNTED) then return days end
  local cash = math.max(0, record.cash - (record.taken - amount))
  local cashes = (whole and record.cash > 0) and 1 or 0
  return (string.gsub(days, '(%d+) (%d+) (%d+) (%d+) (%d+);', function(d, a, n, c, m)
    if tonumber(d) ~= record.day then return nil end
    return string.format('%s %.0f %d %.0f %d;', d, math.max(0, a - amount), math.max(0, n - (whole and 1 or 0)),
      math.max(0, c - cash), math.max(0, m - cashes))
  end))
end

-- What a reversal that came first leaves of this transmission, and forgets that reversal; nil where none came.
local function reversed_early(card_key, early, transmission)
  for from = 1, #early, EARLY do
    local by_reference = string.sub(early, from, from + 7) == UNKNOWN8
    local same = by_reference and string.sub(early, from + 8, from + 15) == string.sub(transmission, 9, 16)
      or string.sub(early, from, from + 11) == string.sub(transmission, 1, 12)
    if same then
      local rest = string.sub(early, 1, from - 1) .. string.sub(early, from + EARLY)
      if rest == '' then redis.call('HDEL', card_key, 'er') else redis.call('HSET', card_key, 'er', rest) end
      return unpacked(early, from + 16)
    end
  end
  return nil
end

-- The outcome of an answer that was kept, once more. What was reversed meanwhile is not approved again.
local function answer_again(earlier, tries_left, available)
  local declined, flags, taken = string.byte(earlier, 9), string.byte(earlier, 16), unpacked(earlier, 19)
  local kind = flags % PARTIAL
  if declined == 0 and has(flags, REVERSED) then declined = REVERSED_BEFORE end
  if kind == ENQUIRY and declined == 0 then available = has(flags, PARTIAL) and -taken or taken end
  local result = declined .. ';' .. (declined == 0 and string.sub(earlier, 10, 15) or '-') .. ';0;' .. tries_left .. ';'
    .. string.format('%.0f', available)
  return has(flags, PARTIAL) and kind ~= ENQUIRY and result .. ';' .. string.format('p%.0f', taken) or result
end

-- Takes an amount, or gives it back for a refund, as far as funds, limits, the message that it settles and a reversal
-- that came before it allow.
-- Returns declined, available, the record to keep, the kept answers, and the effect.
local function take(card_key, args, card, kept, available)
  local amount, limits, how, original, record = tonumber(args[6]), args[13], args[15] or '', args[16] or '', args[14]
  local flags = string.byte(record, 1)
  local kind, effect, freed, settled = flags % PARTIAL, nil, 0, nil
  if kind == ENQUIRY then
    local sign = available < 0 and PARTIAL or 0
    record = string.char(flags + sign) .. string.sub(record, 2, 3) .. packed(math.abs(available)) .. string.sub(NOTHING, 6)
    return 0, available, record, kept
  end
  if args[7] ~= card[6] then return WRONG_CURRENCY, available, record, kept end
  if card[8] then
    local remaining = reversed_early(card_key, card[8], args[1])
    if remaining and remaining < amount then
      if remaining == 0 and how ~= 'b' then return REVERSED_BEFORE, available, record, kept, 'e0' end
      amount, effect = remaining, string.format('e%.0f', remaining)
      if remaining == 0 then flags = flags + REVERSED end
    end
  end
  if original ~= '' then
    settled = locate(kept, card[10], original)
    if settled and settled.active then freed = settled.taken end
    if how == 'c' and freed == 0 then return NO_CHIP_DATA, available, record, kept end
  end
  if kind == REFUND then
    available = available + amount
  else
    local funds = available + freed
    if amount > funds and how ~= 'b' then
      if how ~= 'p' or funds <= 0 then return NO_FUNDS, available, record, kept end
      amount, flags, effect = funds, flags + PARTIAL, string.format('p%.0f', funds)
    end
    local days = card[9]
    if settled and freed > 0 then days = give_back(days, settled, settled.taken, true) end
    if limits ~= '' then
      local passed, after, day = spend(days, limits, amount)
      if passed then return passed, available, record, kept end
      days = after
      record = string.sub(record, 1, 1) .. struct.pack('>I2', day) .. string.sub(record, 4)
    end
    if days and days ~= card[9] then redis.call('HSET', card_key, 'sp', days) end
    available = funds - amount
  end
  if settled and freed > 0 then
    kept = mark(card_key, kept, card[10], settled, 0, SETTLED)
    effect = effect and string.format('t%.0f/%.0f', amount, freed) or string.format('s%.0f', freed)
  end
  -- As the host packed it, unless less was taken.
  if effect then record = string.char(flags) .. string.sub(record, 2, 3) .. packed(amount) .. string.sub(record, 9) end
  return 0, available, record, kept, effect
end

-- A decision, or the booking of what was decided elsewhere.
-- KEYS: card, ATC window, journal.
-- ARGV: transmission, fingerprint, declined, ATC or '', PIN evidence, amount, currency, approval code,
--       jump limit, accept late ATCs, journal entry, token, limits to count or '', kind with day, amount and cash;
--       and where it is more than a request that asks for all or nothing: how, and the transmission it speaks of or ''.
-- How: 'p' a part will do, 'b' booked whatever the card has, 'n' noted only, 'c' completes an approval.
-- Returns "repeated;declined;code;ATC finding;tries left;available" and, if there is one, ";effect".
local function commit(keys, args)
  local limits, how, original = args[13], args[15] or '', args[16] or ''
  local booked = how == 'b' or how == 'n'
  local card
  if original ~= '' or booked then
    card = redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'ah', 'av', 'cu', 'an', 'er', 'sp', 'tk')
  elseif limits ~= '' then
    card = redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'ah', 'av', 'cu', 'an', 'er', 'sp')
  else
    card = redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'ah', 'av', 'cu', 'an', 'er')
  end
  local known, kept, transmission, record, effect = card[1], card[7], args[1], args[14], nil
  local declined, code = tonumber(args[3]), args[8]
  local tries_max, tries_used = tonumber(card[2] or 0), tonumber(card[3] or 0)
  local highest, available = tonumber(card[4] or nil), tonumber(card[5] or 0)
  local ah = card[4]

  local earlier = known and answered(kept, transmission)
  -- No ATC keeps a booking or a completion from being made again: looked for as long as anything of it is known.
  if known and not earlier then earlier = answered(card[10], transmission) end
  if earlier and string.sub(earlier, 1, 8) == args[2] then
    return '1;' .. answer_again(earlier, tries_max - tries_used, available)
  elseif earlier then
    declined, transmission, how = OTHER_CONTENT, '', 'n'
  end

  -- Between read and commit the card may have been blocked or removed. What has happened is booked all the same.
  if not known then
    declined = (declined == 0 or booked) and UNKNOWN_CARD or declined
  elseif declined == 0 and not booked then
    declined = STATUS_DECLINE[known] or 0
  end

  local finding = 0
  if known and args[4] ~= '' and not earlier then
    finding, highest = claim_atc(
      keys[2], highest, tonumber(args[4]), tonumber(args[9]), args[10] == '1')
    if finding == FIRST or finding == AHEAD then ah = args[4] end
    if declined == 0 and not booked then
      if finding == REPLAYED then
        -- Or a repeat that comes so late that its answer is among the takings.
        local late = answered(redis.call('HGET', keys[1], 'tk'), transmission)
        if late and string.sub(late, 1, 8) == args[2] then
          return '1;' .. answer_again(late, tries_max - tries_used, available)
        end
        declined = ATC_REPLAYED
      end
      if finding == OUT_OF_RANGE then declined = ATC_OUT_OF_RANGE end
    end
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

  if declined == 0 and how ~= 'n' then
    declined, available, record, kept, effect = take(keys[1], args, card, kept, available)
  end

  if declined ~= 0 then code = '-' end
  -- Whole numbers below 2^53 are exact in Lua; %.0f prints them without an exponent.
  local left = string.format('%.0f', available)
  if known then
    if transmission ~= '' then
      if declined ~= 0 or how == 'n' then record = string.sub(record, 1, 3) .. NOTHING end
      kept = keep(keys[1], kept,
        transmission .. args[2] .. string.char(declined) .. (declined == 0 and code or '------') .. record)
    end
    local used = text(tries_used)
    if not ah then
      -- A card whose chip was never used: its PIN tries and its money count all the same.
      redis.call('HSET', keys[1], 'pu', used, 'av', left, 'an', kept or '')
    elseif used == card[3] then
      redis.call('HSET', keys[1], 'ah', ah, 'av', left, 'an', kept or '')
    else
      redis.call('HSET', keys[1], 'pu', used, 'ah', ah, 'av', left, 'an', kept or '')
    end
  end
  local result = text(declined) .. ';' .. code .. ';' .. text(finding) .. ';' .. text(tries_max - tries_used) .. ';' .. left
  if effect then result = result .. ';' .. effect end
  redis.call('XADD', keys[3], '*', 'e', args[11], 'r', result, 'c', args[12])
  return '0;' .. result
end
-- Reversals: what a transaction took is given back, whether it came before, comes later or never.

-- Of several that come before their original the one that leaves least counts.
local function remember(early, original, remaining)
  for from = 1, #early, EARLY do
    local amount = from + KEY
    if string.sub(early, from, amount - 1) == original then
      return string.sub(early, 1, amount - 1) .. packed(math.min(remaining, unpacked(early, amount)))
        .. string.sub(early, from + EARLY)
    end
  end
  return string.sub(original .. packed(remaining) .. early, 1, EARLY * EARLY_MAX)
end

-- Takes no more notice of how often it is asked than the record does: it lowers what is taken to what remains of it, so
-- that a second reversal, with the same or another number, finds nothing to give back.
-- KEYS: card, journal.
-- ARGV: transmission, fingerprint, transmission of the original (zeros where unknown), remaining minor units,
--       currency, journal entry, token, kind with day.
-- Returns as a commit does; effect: "r" amount given back, then "d" found by its numbers or "r" by its reference; "o":
-- not found, kept for its original; "x": found, but it had been declined.
local function reverse(keys, args)
  local card = redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'av', 'an', 'tk', 'er', 'sp', 'cu')
  local kept, available = card[5], tonumber(card[4] or 0)
  local tries_left, remaining = tonumber(card[2] or 0) - tonumber(card[3] or 0), tonumber(args[4])
  local declined, effect = card[1] and 0 or UNKNOWN_CARD, nil
  local earlier = card[1] and answered(kept, args[1])
  if earlier and string.sub(earlier, 1, 8) == args[2] then return '1;' .. answer_again(earlier, tries_left, available) end
  if earlier then declined = OTHER_CONTENT end
  if declined == 0 and remaining > 0 and args[5] ~= card[9] then declined = WRONG_CURRENCY end
  if declined == 0 then
    local found = locate(kept, card[6], args[3])
    if not found or found.doubtful then
      redis.call('HSET', keys[1], 'er', remember(card[7] or '', args[3], remaining))
    end
    if not found or found.doubtful and found.declined ~= 0 then
      effect = 'o'
    elseif found.declined ~= 0 then
      effect = 'x'
    else
      local back = math.max(0, found.taken - remaining)
      available = available + (found.kind == REFUND and -back or back)
      local days = back > 0 and give_back(card[8], found, back, remaining == 0) or card[8]
      if days and days ~= card[8] then redis.call('HSET', keys[1], 'sp', days) end
      if back > 0 or remaining == 0 then
        kept = mark(keys[1], kept, card[6], found, found.taken - back, remaining == 0 and REVERSED or 0)
      end
      effect = string.format('r%.0f', back) .. found.by
    end
    kept = keep(keys[1], kept, args[1] .. args[2] .. string.char(0) .. '------' .. args[8] .. NOTHING)
    redis.call('HSET', keys[1], 'av', string.format('%.0f', available), 'an', kept)
  end
  local result = declined .. ';-;0;' .. tries_left .. ';' .. string.format('%.0f', available)
  if effect then result = result .. ';' .. effect end
  redis.call('XADD', keys[2], '*', 'e', args[6], 'r', result, 'c', args[7])
  return '0;' .. result
end

redis.register_function{ function_name = 'cardstate_reverse', callback = reverse }
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
-- Issuer scripts of a card: its field 'sc', oldest first, each "identifier,state,ATC,kind,…|"; see QueuedScript. Cards
-- without one never come here.
local SCRIPTS_MAX = 8
local FINISHED = 'ofnx'

-- Moves a script from one of some states to another. Returns the new list and what follows the ATC, nil where no
-- script with this identifier was in such a state.
local function move_script(list, id, from, to, atc)
  local found
  local text = string.gsub(list or '', '(%d+),(%a),(%d*),([^|]*)|', function(number, state, used, rest)
    if number ~= id or not string.find(from, state, 1, true) then return nil end
    found = rest
    return number .. ',' .. to .. ',' .. (atc or used) .. ',' .. rest .. '|'
  end)
  if found then return text, found end
  return nil
end

-- What a card has carried out becomes true here too: the new PIN is the one to compare with, and its tries begin anew.
local function take_effect(card_key, script)
  local kind, reference = string.match(script, '^([^,]*),.*,([^,]*)$')
  if kind == 'pin-change' and reference ~= '' then
    redis.call('HSET', card_key, 'pr', reference, 'pu', 0)
  elseif kind == 'pin-unblock' then
    redis.call('HSET', card_key, 'pu', 0)
  end
end

-- A commit with results that the card reported and a script that goes out with the answer, in one step.
-- KEYS: those of commit. ARGV: results ("o5 f6"), the identifier of the script to send or '', then those of commit.
-- Returns '1' if the script was claimed, else '0', before what commit returns.
local function commit_with_scripts(keys, args)
  local results, claimed = table.remove(args, 1), table.remove(args, 1)
  local list = redis.call('HGET', keys[1], 'sc')
  local changed, sent = false, '0'
  for to, id in string.gmatch(results, '(%a)(%d+)') do
    local moved, script = move_script(list, id, 's', to)
    if moved then
      list, changed = moved, true
      if to == 'o' then take_effect(keys[1], script) end
    end
  end
  local answer = commit(keys, args)
  -- Only with the first answer to a cryptogram that was not seen before: nothing is delivered twice.
  local finding = tonumber(string.match(answer, '^0;%d+;[^;]*;(%d+)') or 0)
  if claimed ~= '' and string.sub(answer, 1, 1) == '1' then
    -- Another transmission of the same request was quicker: both answers are the same, script included.
    sent = string.find('|' .. list, '|' .. claimed .. ',s,' .. args[4] .. ',', 1, true) and '1' or '0'
  elseif claimed ~= '' and finding >= FIRST and finding <= LATE then
    local moved = move_script(list, claimed, 'q', 's', args[4])
    if moved then list, changed, sent = moved, true, '1' end
  end
  if changed then redis.call('HSET', keys[1], 'sc', list) end
  return sent .. answer
end

-- What an operator orders, with a journal entry of its own.
-- KEYS: card, journal. ARGV: operation, script or identifier, the same in words, note (who, when, why), token.
-- Returns the identifier for a new script, for others the state before or '' where it cannot be; false for a card
-- that is unknown.
local function script(keys, args)
  local card = redis.call('HMGET', keys[1], 'st', 'sc')
  if not card[1] then return false end
  local list, before, result = card[2] or '', '', nil
  if args[1] == 'script-queue' then
    local _, count = string.gsub(list, '|', '')
    if count >= SCRIPTS_MAX then
      -- The oldest that is done makes room.
      local dropped = false
      list = string.gsub(list, '%d+,(%a),[^|]*|', function(state)
        if dropped or not string.find(FINISHED, state, 1, true) then return nil end
        dropped = true
        return ''
      end)
      if not dropped then return redis.error_reply('ERR ' .. SCRIPTS_MAX .. ' scripts wait for this card already') end
    end
    result = tostring(redis.call('HINCRBY', keys[1], 'sn', 1))
    list = list .. result .. ',q,,' .. args[2] .. '|'
  else
    local from, to = 'q', 'x'
    if args[1] == 'script-resend' then from, to = 'sfn', 'q' end
    before = string.match('|' .. list, '|' .. args[2] .. ',(%a)') or ''
    local moved = move_script(list, args[2], from, to, to == 'q' and '' or nil)
    if not moved then return '' end
    list, result = moved, before
  end
  redis.call('HSET', keys[1], 'sc', list)
  redis.call('XADD', keys[2], '*', 'o', args[1] .. ';' .. args[3] .. ';' .. before .. ';' .. args[4], 'c', args[5])
  return result
end

redis.register_function{ function_name = 'cardstate_commit_scripts', callback = commit_with_scripts }
redis.register_function{ function_name = 'cardstate_script', callback = script }

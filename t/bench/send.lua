-- Script for wrk: sends messages of a file, each once.  Arguments: the file,
-- how many messages to pass over, how many there are, and "repeat" if they
-- may be sent again when all have been.
--
-- The file: the template of a request, in which %i, %s and %u stand for the
-- values of a message; a marker; then records of fixed length, one a message:
-- its id, signature and UUID.  See t/bench/run, which writes it.

local ID, SIGNATURE, UUID = 31, 44, 36
local LENGTH = ID + SIGNATURE + UUID

local data, parts, number, first, last, again


function init(args)
    local file = assert(io.open(args[1], "rb"))
    data = file:read("*a")
    file:close()

    local marker = "\n--messages--\n"
    local from, to = data:find(marker, 1, true)
    local template = data:sub(1, from - 1)

    -- texts alternate with the names of values
    parts = {}
    local at = 1
    for before, name, after in template:gmatch("()%%([isu])()") do
        parts[#parts + 1] = template:sub(at, before - 1)
        parts[#parts + 1] = name
        at = after
    end
    parts[#parts + 1] = template:sub(at)

    first = to + 1 + tonumber(args[2]) * LENGTH
    last = first + tonumber(args[3]) * LENGTH - 1
    number = first
    again = args[4] == "repeat"
end


local buffer = {}

function request()
    if number > last and again then
        number = first

    elseif number > last then
        io.stderr:write("bench: no message is left, raise BENCH_MESSAGES\n")
        os.exit(1)
    end

    local n = number
    number = n + LENGTH

    for i = 1, #parts, 2 do
        buffer[i] = parts[i]
        local name = parts[i + 1]

        if name == "i" then
            buffer[i + 1] = data:sub(n, n + ID - 1)
        elseif name == "s" then
            buffer[i + 1] = data:sub(n + ID, n + ID + SIGNATURE - 1)
        elseif name == "u" then
            buffer[i + 1] = data:sub(n + ID + SIGNATURE, n + LENGTH - 1)
        end
    end

    return table.concat(buffer, "", 1, #parts)
end


function done(summary, latency, requests)
    local e = summary.errors

    io.write(string.format(
        '\nresult: {"requests":%d,"microseconds":%d,"p50":%.3f,"p99":%.3f,'
        .. '"p999":%.3f,'
        .. '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,'
        .. '"status":%d}}\n',
        summary.requests, summary.duration, latency:percentile(50) / 1000,
        latency:percentile(99) / 1000, latency:percentile(99.9) / 1000,
        e.connect, e.read, e.write, e.timeout, e.status))
end

-- Sends events of 1 KB.
wrk.method = 'POST'
wrk.headers['Authorization'] = 'Bearer bench'
wrk.headers['Content-Type'] = 'application/json'
local head, tail = '{"type":"bench","size":1024,"text":"', '"}'
wrk.body = head .. string.rep('0123456789abcdef', 64):sub(1, 1024 - #head - #tail) .. tail
dofile(string.match(debug.getinfo(1, 'S').source, '^@(.*/)') .. 'report.lua')

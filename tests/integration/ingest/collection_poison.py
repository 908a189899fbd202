"""One event of each sender around a part that is poison, beside a good neighbour where its path takes several."""

# ruff: noqa: E501 - one input a line is easier to read than the same wrapped
# fmt: off

FORMS: dict[str, str] = {
    "/v1/batch": '{"batch":[{"type":"track","event":"e","userId":"u"EXTRA},{"type":"track","event":"Good Neighbour","userId":"g"}]}',
    "/api/s/track": '{"type":"track","event":"e","userId":"u"EXTRA}',
    "/batch/": '{"api_key":"KEY","batch":[{"event":"e","distinct_id":"u"EXTRA},{"event":"Good Neighbour","distinct_id":"g"}]}',
    "/e/": '[{"event":"e","distinct_id":"u","api_key":"KEY"EXTRA},{"event":"Good Neighbour","distinct_id":"g"}]',
    "/com.snowplowanalytics.snowplow/tp2": '{"data":[{"e":"se","se_ca":"c","uid":"u","aid":"KEY"EXTRA},'
    '{"e":"se","se_ca":"Good","se_ac":"Neighbour","uid":"g","aid":"KEY"}]}',
    "/mp/collect": '{"client_id":"u","events":[{"name":"e"EXTRA},{"name":"Good Neighbour"}]}',
}
EXTRAS: dict[str, bytes] = {
    "NaN": b',"properties":{"a":NaN}',
    "1e999": b',"properties":{"a":1e999}',
    "Infinity": b',"properties":{"a":-Infinity}',
    "NUL": b',"timestamp":"\\u0000","properties":{"a\\u0000":"\\u0000"}',
    "lone surrogate": b',"properties":{"a":"\\ud800"},"se_ac":"\\ud800"',
    "integer": b',"properties":{"a":9223372036854775808}',
    "depth": b',"properties":' + b'{"a":' * 40 + b"1" + b"}" * 40,
    "keys": b',"properties":{' + b",".join(b'"k%d":1' % n for n in range(10_001)) + b"}",
    "prototype": b',"properties":{"__proto__":{"admin":true},"constructor":{"prototype":1}}',
    "twins": b',"properties":{"a":1},"properties":{"a":2}',
    "times": b',"timestamp":"9999-12-31T23:59:59Z","dtm":"99999999999999999","timestamp_micros":"1"',
    "odd times": b',"timestamp":{},"dtm":[],"timestamp_micros":{}',
    "long id": b',"messageId":"' + b"m" * 300 + b'","uuid":"' + b"m" * 300 + b'","eid":"' + b"m" * 300 + b'"',
    "address": b',"traits":{"email":"a@b.example\\r\\nBcc: x@y.example"},"$set":{"email":"a@b.example\\r\\nBcc: x@y.example"}',
    "types": b',"type":["track"],"event":{},"name":[],"e":{},"properties":[],"context":7,"traits":"x"',
}

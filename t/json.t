# what is JSON, what is an event, and what the answer to one says

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;
use JSON::PP ();

# [body, reason]: "~" in the body marks the byte that is to be named

our @malformed = (
    ['~', 'unexpected end'],
    ["  \r\n\t~", 'unexpected end'],
    ['{~', 'unexpected end'],
    ['{"a~', 'unexpected end'],
    ['{"a"~', 'unexpected end'],
    ['{"a":~', 'unexpected end'],
    ['{"a":"b\\~', 'unexpected end'],
    ['{"a":tru~', 'unexpected end'],
    ['{"a":1~', 'unexpected end'],
    ['{"a":1,~', 'unexpected end'],
    ['{"a":[1~', 'unexpected end'],
    ['{"a":{}~', 'unexpected end'],
    ['{}~x', 'data behind the value'],
    ['{} ~{}', 'data behind the value'],
    ["{}\n~,", 'data behind the value'],
    ['{}~}', 'data behind the value'],
    ["{}~\0", 'data behind the value'],
    ['{~a:1}', 'unexpected character'],
    ["~'a'", 'unexpected character'],
    ["{\"a\":~'b'}", 'unexpected character'],
    ['{"a":~NaN}', 'unexpected character'],
    ['{"a":~Infinity}', 'unexpected character'],
    ['{"a":~True}', 'unexpected character'],
    ['{"a":~+1}', 'unexpected character'],
    ['{"a":~.5}', 'unexpected character'],
    ["~\0", 'unexpected character'],
    ["{\"a\":~\0}", 'unexpected character'],
    ["~\xef\xbb\xbf{}", 'unexpected character'],
    ["{~\x0b}", 'unexpected character'],
    ["{\"a\":1,~\x0c\"b\":2}", 'unexpected character'],
    ["{\"a\":~\xc2\xa01}", 'unexpected character'],
    ['{"a" ~1}', 'colon expected'],
    ['{"a"~}', 'colon expected'],
    ['{"a":1 ~"b":2}', 'comma or end of object expected'],
    ['{"a":0~1}', 'comma or end of object expected'],
    ['{"a":1~]', 'comma or end of object expected'],
    ['{"a":[1 ~2]}', 'comma or end of array expected'],
    ['{"a":[1~}', 'comma or end of array expected'],
    ['{"a":1,~}', 'object key expected'],
    ['{~1:2}', 'object key expected'],
    ['{~null:2}', 'object key expected'],
    ['{"a":~}', 'value expected'],
    ['{"a":[1,~]}', 'value expected'],
    ['{"a":~,"b":1}', 'value expected'],
    ['~]', 'value expected'],
    ['{"a":1.~}', 'invalid number'],
    ['{"a":-~}', 'invalid number'],
    ['{"a":1e~}', 'invalid number'],
    ['{"a":1e+~,"b":2}', 'invalid number'],
    ['{"a":nul~x}', 'invalid literal'],
    ['{"a":f~}', 'invalid literal'],
    ['{"a":"\\~x"}', 'invalid escape'],
    ['{"a":"\\u12~G4"}', 'invalid escape'],
    ['{"a":"\\u12~', 'unexpected end'],
    ["{\"a\":\"b~\n\"}", 'control character in a string'],
    ["{\"a\":\"~\0\"}", 'control character in a string'],
    ["{\"a~\x1f\":1}", 'control character in a string'],
    ["{\"a\":\"~\xff\"}", 'invalid UTF-8'],
    ["{\"a\":\"~\xc0\x80\"}", 'invalid UTF-8'],
    ["{\"a\":\"~\xed\xa0\x80\"}", 'invalid UTF-8'],
    ["{\"a\":\"~\xf4\x90\x80\x80\"}", 'invalid UTF-8'],
    ["{\"a\":\"~\xe2\x82\"}", 'invalid UTF-8'],
    ["{\"~\x80\":1}", 'invalid UTF-8'],
    ["{} ~\xe2\x82", 'invalid UTF-8'],
    ['{"a":' . '[' x 63 . '~[' . ']' x 64 . '}', 'nested too deeply'],
    ['{"a":' x 64 . '~{}' . '}' x 64, 'nested too deeply'],
    ['[' x 64 . '~[' . ']' x 65, 'nested too deeply'],
    ['{"a":' x 64 . '~[' x 1 . '[' x 100_000, 'nested too deeply'],
    ['{"a":1 ~/* comment */}', 'unexpected character'],
    ['~// comment' . "\n{}", 'unexpected character'],
);

# [body, offset]: JSON, though not an object

our @others = (
    ['[]', 0], ['[{"id":"e-1","eventType":"company.added"}]', 0],
    ['"company.added"', 0], ['""', 0], ['17', 0], ['-0.5e3', 0], ['true', 0],
    ['false', 0], ['null', 0], [" \n[]\n", 2], ["\t\"x\" ", 1], ["   1", 3],
    ['[' x 64 . ']' x 64, 0],
);

# [body, id, type] of what is accepted

our @events = (
    ['{}', undef, 'unknown'],
    [" \t\r\n{ } \n\n", undef, 'unknown'],
    ['{"id":"e-1","eventType":"company.added"}', 'e-1', 'company.added'],
    ['{"eventType":"company.added","id":"e-1"}', 'e-1', 'company.added'],
    # keys without regard to case
    ['{"ID":"e-1","EVENTTYPE":"company.added"}', 'e-1', 'company.added'],
    ['{"iD":"e-1","eventtype":"company.added"}', 'e-1', 'company.added'],
    # the last of equal keys
    ['{"id":"a","id":"b","eventType":"x.y","eventType":"company.added"}',
     'b', 'company.added'],
    ['{"id":"a","ID":"b","Id":"c","eventType":"x.y"}', 'c', 'x.y'],
    ['{"id":"a","id":null,"eventType":"x.y"}', undef, 'x.y'],
    ['{"eventType":"x.y","eventtype":null}', undef, 'unknown'],
    # keys and values with escapes
    ['{"\\u0069d":"e-1","event\\u0054ype":"company\\u002eadded"}', 'e-1',
     'company.added'],
    ['{"id":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u00e9\\ud83d\\ude00",'
     . '"eventType":"x"}', "\"\\/\b\f\n\r\t\0\x1f\x{e9}\x{1f600}", 'x'],
    ["{\"id\":\"\xc3\xa9\xf0\x9f\x98\x80\x7f\",\"eventType\":\"\xe2\x82\xac\"}",
     "\x{e9}\x{1f600}\x7f", "\x{20ac}"],
    ['{"id":"\\ud83d","eventType":"\\ude00x"}', "\x{fffd}", "\x{fffd}x"],
    ['{"id":"</script>","eventType":"x"}', '</script>', 'x'],
    # ids that are not strings, and none
    ['{"id":17,"eventType":"x"}', '17', 'x'],
    ['{"id":123456789012345678901234567890,"eventType":"x"}',
     '123456789012345678901234567890', 'x'],
    ['{"id":true,"eventType":"x"}', undef, 'x'],
    ['{"id":{"id":"y"},"eventType":"x"}', undef, 'x'],
    ['{"id":["y"],"eventType":"x"}', undef, 'x'],
    ['{"id":"","eventType":"x"}', undef, 'x'],
    # names that are not strings, and none
    ['{"id":"e-1","eventType":17}', 'e-1', 'unknown'],
    ['{"id":"e-1","eventType":""}', 'e-1', 'unknown'],
    ['{"id":"e-1","eventType":null,"payload":{}}', 'e-1', 'unknown'],
    ['{"id":"e-1","payload":{"eventType":"x.y","id":"z"}}', 'e-1', 'unknown'],
    ['{"other":{"id":"x","eventType":"x.y"}}', undef, 'unknown'],
    # nobody knows them: their own names
    ['{"id":"e-1","eventType":"some.NEW.thing"}', 'e-1', 'some.NEW.thing'],
    ['{"id":"e-1","eventType":"..odd, name.."}', 'e-1', '..odd, name..'],
    ['{"AlertId":"a-1","RuleType":"A Brand New Rule"}', 'a-1',
     'A Brand New Rule'],
    ['{"AlertId":"a-1","RuleType":"Data sync completed"}', 'a-1',
     'read.completed'],
    ['{"id":"e-1","type":"company.added"}', 'e-1', 'company.added'],
    # huge numbers are not looked at
    ['{"id":"e-1","eventType":"x","a":1e999999,"b":-0.0E-999,"c":'
     . '9' x 5000 . '}', 'e-1', 'x'],
    # depth 64
    ['{"a":' x 63 . '{}' . '}' x 63, undef, 'unknown'],
    ['{"id":"e-1","eventType":"x","a":' . '[' x 63 . ']' x 63 . '}', 'e-1',
     'x'],
    # long, and many
    ['{"id":"' . 'i' x 20_000 . '","eventType":"' . 't' x 20_000 . '"}',
     'i' x 20_000, 't' x 20_000],
    ['{"id":"e-1",' . CORE::join('', map { qq("k$_":$_,) } 1 .. 5000)
     . '"eventType":"x"}', 'e-1', 'x'],
    ['{"":1,"id":"e-1"," id":"z","id ":"z","eventType":"x"}', 'e-1', 'x'],
);

sub bare { return $_[0] =~ s/~//r }
sub answer {
    my ($id, $type) = @_;
    return JSON::PP->new->utf8->canonical->encode(
        { id => $id, type => $type, result => 'accepted' });
}
sub canonical {
    my $json = JSON::PP->new->utf8->canonical;
    return $json->encode(eval { $json->decode($_[0]) } // $_[0]);
}

my @secrets = ();
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = "location /webhook { codat_webhook zone=codat;
                                  codat_credential none; }";

no_long_string();

webhook_blocks(http => $http, config => $config, secrets => \@secrets,
               suppress_stderr => 1);

run_tests();

__DATA__

=== TEST 1: what is not JSON is refused with the reason and the first wrong byte
--- request eval: [map { "POST /webhook\n" . main::bare($_->[0]) } @::malformed]
--- more_headers eval: [map { 'Content-Length: ' . length main::bare($_->[0]) } @::malformed]
--- error_code eval: [map { 400 } @::malformed]
--- problem eval: [map { 'malformed_json' } @::malformed]
--- detail eval: [map { "^\Q$_->[1] at byte " . index($_->[0], '~') . " of the body\E\$" } @::malformed]


=== TEST 2: what is JSON, though not an object, is no event
--- request eval: [map { "POST /webhook\n$_->[0]" } @::others]
--- more_headers eval: [map { 'Content-Length: ' . length $_->[0] } @::others]
--- error_code eval: [map { 400 } @::others]
--- problem eval: [map { 'unrecognised_event' } @::others]
--- detail eval: [map { "^not an object at byte $_->[1] of the body\$" } @::others]


=== TEST 3: any object is an event: the answer has its id, its type and the result
--- request eval: [map { "POST /webhook\n$_->[0]" } @::events]
--- more_headers eval: [map { 'Content-Length: ' . length $_->[0] } @::events]
--- error_code eval: [map { 200 } @::events]
--- response_body_filters eval: \&main::canonical
--- response_body eval: [map { main::answer(@$_[1, 2]) } @::events]


=== TEST 4: the answer, byte for byte
--- request eval
[map { "POST /webhook\n$_" } '{"id":"e-1","eventType":"company.added"}', '{}',
 '{"id":"a\"\\\\\u0007\n\u00e9","eventType":"x"}']
--- error_code eval: [200, 200, 200]
--- response_headers eval
['Content-Length: 55', 'Content-Length: 48', '!Retry-After']
--- response_body eval
['{"id":"e-1","type":"company.added","result":"accepted"}',
 '{"id":null,"type":"unknown","result":"accepted"}',
 qq({"id":"a\\"\\\\\\u0007\\n\xc3\xa9","type":"x","result":"accepted"})]


=== TEST 5: neither the body nor the reason's text reaches the log beyond the detail
--- request
POST /webhook
{"id":"private-id","eventType":"private.type" "x"}
--- error_code: 400
--- problem: malformed_json
--- detail: ^comma or end of object expected at byte 46 of the body$
--- response_body_unlike: private

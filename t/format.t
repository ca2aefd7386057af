# codat_format: templates for what the application is sent.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use JSON::PP ();

our $app = CodatTest::Upstream->new(answer => { status => 200 });
our $json = JSON::PP->new->utf8;
our $sent;
our $body = body('connection.disconnected', event_id => 'evt', company => 'co',
                 company_name => 'Finch', tags => { channel => 'uk' });

$ENV{TEST_NGINX_APP} = $app->address;


# a block gives "formats"; "seen" is given what the application got

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;

    $block->set_value('http_config', CORE::join("\n",
        'codat_zone zone=codat:1m;', 'codat_credential bearer sesame;',
        $block->formats // ''));

    $block->set_value('config', <<'EOC') unless defined $block->config;
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app format=f;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
EOC

    if (defined $block->must_die) {
        $block->set_value('suppress_stderr', 1);
        $block->set_value('error_log', "[emerg]\n" . $block->error_log);
        $block->set_value('no_error_log', "[alert]\n[crit]");
        return;
    }

    $block->set_value('request', "POST /hook\n$body")
        unless defined $block->request;
    $block->set_value('more_headers', CORE::join("\n",
        'Authorization: Bearer sesame', 'webhook-id: msg',
        $block->more_headers // ''));
    $block->set_value('response_body_like', '"result":"accepted"');
    $block->set_value('no_error_log',
                      "[alert]\n[crit]\n[emerg]\n[error]\n[warn]");
    $block->set_value('no_shutdown_error_log', "[alert]\nopen socket");
});

add_response_body_check(sub {
    my ($block) = @_;

    my @requests = $app->requests;
    my $name = $block->name;

    Test::More::ok(@requests > 0, "$name - forwarded");
    Test::More::is($_->header('content-length') // 0, length $_->{body},
                   "$name - Content-Length") for @requests;

    $block->seen->(@requests) if $block->seen;
    Test::More::is($requests[0]{body}, $block->sent, "$name - body")
        if defined $block->sent;
    Test::More::is($requests[0]->header('content-type'), $block->type,
                   "$name - type") if defined $block->type;
});

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: variables in a text, which is JSON unless said otherwise
--- formats
codat_format f '{"text":"$codat_company_name: $codat_event_type","n":1}';
--- sent chomp
{"text":"Finch: connection.disconnected","n":1}
--- type: application/json
--- seen eval
sub {
    Test::More::like(CORE::join(' ', CORE::sort map { lc $_->[0] }
                                @{$_[0]{headers}}),
        qr/^(connection )?content-length content-type host webhook-id$/,
        'headers, and what nginx before 1.29.7 adds');
    Test::More::is($_[0]->header('webhook-id'), 'msg', 'webhook-id');
    Test::More::is($_[0]{method}, 'POST', 'method');
}



=== TEST 2: quotes, backslashes and unicode are escaped as JSON wants it
--- formats
codat_format f '{"name":"$codat_company_name","id":"${codat_event_id}"}';
--- request eval
$::sent = 'a"b\\c/d </script> ' . "\xc3\xbc \xe2\x80\xa8 \xf0\x9f\x98\x80";
my $name = $::sent;
utf8::decode($name);
"POST /hook\n" . $::json->encode({ eventType => 'company.created', id => '2',
                                   payload => { id => 'c', name => $name } })
--- seen eval
sub {
    my $data = $_[0]->json;
    utf8::encode($data->{name});
    Test::More::is($data->{name}, $::sent, 'the name is the same again');
    Test::More::like($_[0]{body}, qr/"a\\"b\\\\c/, 'escaped');
}



=== TEST 3: control characters and bytes that are not UTF-8 leave valid JSON
--- formats
codat_format f '{"a":"$http_x_tab","b":"$http_x_bad","c":"$http_x_del"}';
--- more_headers eval
"X-Tab: a\tb\x01c\nX-Bad: a\xff\xc3b\xed\xa0\x80\nX-Del: a\x7fb"
--- seen eval
sub {
    my $data = eval { $_[0]->json };
    Test::More::is($@, '', 'JSON');
    Test::More::is($data->{a}, "a\tb\x01c", 'control characters');
    Test::More::like($data->{b}, qr/^a.*b/, 'bad bytes');
    Test::More::like($data->{c}, qr/^a.?b$/, 'DEL');
    Test::More::unlike($_[0]{body}, qr/[\x00-\x1f]/, 'none is bare');
}



=== TEST 4: the payload as a string in JSON
--- formats
codat_format f '{"raw":"$codat_payload"}';
--- request eval
"POST /hook\n" . qq({\n\t"eventType" : "company.created",\r\n "id":"4",)
    . q("payload":{"name":"\u00e9 \"q\" \\\\ ) . "\xc3\xbc" . '"}}'
--- seen eval
sub {
    my $raw = $_[0]->json->{raw};
    utf8::encode($raw);
    Test::More::is($raw, qq({\n\t"eventType" : "company.created",\r\n "id":"4",)
        . q("payload":{"name":"\u00e9 \"q\" \\\\ ) . "\xc3\xbc" . '"}}',
        'byte for byte after decoding');
}



=== TEST 5: the payload as it is, inside a document of one's own
--- formats
codat_format f escape=none type=application/json
             '{"kind":"$codat_event_type","event":$codat_payload}';
--- type: application/json
--- seen eval
sub {
    Test::More::is($_[0]{body}, '{"kind":"connection.disconnected","event":'
                   . "$::body}", 'body');
}



=== TEST 6: escape=none writes values as they are
--- formats
codat_format f escape=none '$codat_company_name;$http_x_quoted';
--- more_headers
X-Quoted: "a\b"
--- sent chomp
Finch;"a\b"
--- type: text/plain



=== TEST 7: escape=json can be said
--- formats
codat_format f escape=json '"$http_x_quoted"';
--- more_headers
X-Quoted: "a\b"
--- sent chomp
"\"a\\b\""
--- type: application/json



=== TEST 8: type= with parameters, options in either order
--- formats
codat_format f "type=text/csv; charset=utf-8" escape=none '$codat_company_id';
--- sent: co
--- type: text/csv; charset=utf-8



=== TEST 9: escape= before type=
--- formats
codat_format f escape=none type=text/x-one '$codat_company_id';
--- sent: co
--- type: text/x-one



=== TEST 10: several arguments make one text, with nothing between them
--- formats
codat_format f '{"a":"$codat_company_id",'
               '"b":"${codat_company_name}ed",'
               "\"c\":\"${codat_event_type}_$codat_event_id-\"}"
               type=later;
--- sent chomp
{"a":"co","b":"Finched","c":"connection.disconnected_evt-"}type=later



=== TEST 11: the format may stand behind the server that uses it
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app format=behind;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- formats
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    location = /hook {
        codat_webhook zone=codat;
        codat_forward * /app format=behind;
    }
    location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
}
codat_format behind '["$codat_company_id"]';
--- sent chomp
["co"]



=== TEST 12: values that are absent are empty
--- formats
codat_format f '["$codat_push_key","$codat_tag_none","$codat_tag_channel"]';
--- sent chomp
["","","uk"]



=== TEST 13: a template that yields nothing is sent as an empty body
--- formats
codat_format f escape=none '$codat_push_key';
--- sent eval
''
--- type: text/plain
--- seen eval
sub { Test::More::is($_[0]->header('content-length'), '0', 'length 0') }



=== TEST 14: one format for several forwards
--- formats
codat_format f '["$codat_company_id"]';
codat_format g escape=none 'g $codat_company_id';
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/1 format=f;
    codat_forward * /app/2 format=g;
    codat_forward * /app/3 format=f;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- seen eval
sub {
    Test::More::is_deeply({ map { $_->{uri} => $_->{body} } @_ }, {
        '/app/1' => '["co"]', '/app/2' => 'g co', '/app/3' => '["co"]',
    }, 'bodies');
}



=== TEST 15: any variable of nginx, and maps of ours
--- formats
map $codat_connection_status $mood { default ok; Unlinked "not \"ok\""; }
codat_format f '{"mood":"$mood","host":"$host","method":"$request_method",'
               '"result":"$codat_result","attempt":"$codat_attempt"}';
--- sent chomp
{"mood":"not \"ok\"","host":"localhost","method":"POST","result":"","attempt":"1"}



=== TEST 16: braces and lone brackets of JSON are text
--- formats
codat_format f '{"a":{"b":["$codat_company_id"]},"c":"}"}';
--- sent chomp
{"a":{"b":["co"]},"c":"}"}



=== TEST 17: a large value
--- formats
codat_format f '["$codat_company_name","$codat_company_name"]';
--- request eval
"POST /hook\n" . body('company.created', company_name => '"' x 100_000)
--- seen eval
sub {
    my $list = $_[0]->json;
    Test::More::is(length $list->[0], 100_000, 'whole');
    Test::More::is($list->[1], $list->[0], 'twice');
    Test::More::is($list->[0], '"' x 100_000, 'unescaped');
}



=== TEST 18: a format needs a template
--- formats
codat_format f type=text/plain escape=none;
--- must_die
--- error_log
"codat_format" "f" has no template



=== TEST 19: an escape that does not exist
--- formats
codat_format f escape=xml 'x';
--- must_die
--- error_log
"codat_format" has an invalid "escape=xml", escape=json or escape=none is expected



=== TEST 20: a type that is none
--- formats
codat_format f type=json 'x';
--- must_die
--- error_log
"codat_format" has an invalid "type=json"



=== TEST 21: a name that is taken
--- formats
codat_format f 'x';
codat_format f 'y';
--- must_die
--- error_log
"codat_format" "f" is built in or made before



=== TEST 22: a name that is built in
--- formats
codat_format f 'x';
codat_format raw 'x';
--- must_die
--- error_log
"codat_format" "raw" is built in or made before



=== TEST 23: a format that does not exist
--- formats
codat_format g 'x';
--- must_die
--- error_log
"codat_forward" to "/app" has an unknown format "f"



=== TEST 24: a variable that does not exist
--- formats
codat_format f 'x $codat_nothing_such';
--- must_die
--- error_log
codat_nothing_such



=== TEST 25: a dollar sign without a name
--- formats
codat_format f '{"price":"5 $"}';
--- must_die
--- error_log
invalid variable name in "{"price":"5 $"}" of "codat_format"



=== TEST 26: an open brace
--- formats
codat_format f '${codat_event_id';
--- must_die
--- error_log
invalid variable name in "${codat_event_id" of "codat_format"



=== TEST 27: a name that is empty
--- formats
codat_format '' 'x';
--- must_die
--- error_log
"codat_format" has an empty name

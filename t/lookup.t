# codat_lookup: what the zone knows, as variables.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use JSON::PP ();

our $app = CodatTest::Upstream->new(answer => { status => 200 });

our ($c1, $c2, $key) = map { uuid() } 1 .. 3;

$ENV{TEST_NGINX_APP} = $app->address;


# event(...): as body(), each a minute after the one before

my $minutes = 0;

sub Test::Base::Filter::event {
    my ($event, %opt) = @_;

    $minutes++;

    return body($event, %opt, generated =>
                sprintf('2026-01-02T%02d:%02d:00Z', $minutes / 60,
                        $minutes % 60));
}


# "--- hook": what is put into the location of the webhooks; "--- emerg" has
# the line with which nginx refuses what stands in "--- lookup" (arguments).
# "--- logged" is the access log.

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;

    my $lookup = defined $block->lookup
        ? CORE::join('', map { "codat_lookup $_;\n" }
                     CORE::split(/\n/, $block->lookup))
        : 'codat_lookup $linked zone=codat connection $arg_id status;';

    $block->set_value('http_config', CORE::join("\n",
        $block->http_config // '', $lookup, 'codat_zone zone=codat:1m;',
        'codat_credential bearer sesame;'));

    my $hook = $block->hook // '';
    $block->set_value('config', CORE::join("\n", $block->config // '',
        "location /hook { codat_webhook zone=codat; $hook }",
        'location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }',
        defined $block->lookup && $block->lookup !~ /^\$linked /m ? ''
            : 'location /get { return 200 "[$linked]"; }'));

    $block->set_value('more_headers', CORE::join("\n",
        'Authorization: Bearer sesame', $block->more_headers // ''));

    if (defined $block->emerg) {
        chomp(my $emerg = $block->emerg);
        $block->set_value(must_die => 1);
        $block->set_value(suppress_stderr => '');
        $block->set_value(error_log => [
            qr/\[emerg\] \d+#\d+: \Q$emerg\E in \S+:\d+$/]);
        return;
    }

    $block->set_value(no_error_log =>
                      "[alert]\n[crit]\n[emerg]\n[error]\n[warn]")
        if !defined $block->error_log;
    $block->set_value(no_shutdown_error_log => "[alert]\nopen socket");
});

add_response_body_check(sub {
    my ($block, $body, $n) = @_;

    return if !defined $block->seen || !defined $block->seen->[$n];

    my ($request) = $app->wait_requests(1);
    $app->reset;
    Test::More::is_deeply({ map { $_ => $request->header($_) }
                            keys %{$block->seen->[$n]} },
                          $block->seen->[$n], $block->name . " - seen ($n)");
});

no_long_string();
no_shuffle();
master_on();
run_tests();

__DATA__

=== TEST 1: a row appears, and changes
--- request eval
my $id = "?id=$::c1";
my @of = (connection => $::c1);
["GET /get$id",
 "POST /hook\n" . event('connection.created', @of), "GET /get$id",
 "POST /hook\n" . event('connection.connected', @of), "GET /get$id",
 "POST /hook\n" . event('connection.disconnected', @of), "GET /get$id",
 "POST /hook\n" . event('connection.deleted', @of), "GET /get$id",
 "GET /get?id=$::c2"]
--- response_body eval
my $said = qr/"accepted"/;
['[]', $said, '[PendingAuth]', $said, '[Linked]', $said, '[Unlinked]', $said,
 '[Deleted]', '[]']
--- error_code eval
[(200) x 10]



=== TEST 2: of pushes
--- lookup eval
CORE::join("\n", map { "\$p_$_ zone=codat push \$arg_id $_" }
    qw(pushOperationKey status final corrected companyId connectionId dataType
       type recordId errorMessage reference requestedOn completedOn))
--- config
location /row {
    return 200 "$p_pushOperationKey|$p_status|$p_final|$p_corrected|$p_companyId|$p_connectionId|$p_dataType|$p_type|$p_recordId|$p_errorMessage|$p_reference|$p_requestedOn|$p_completedOn";
}
--- request eval
my @of = (push_key => $::key, company => $::c1, connection => $::c2,
          record_id => 'r-1', generated => '2026-05-04T03:02:01.500Z');
["POST /hook\n" . body('PushOperationStatusChanged', status => 'Pending', @of),
 "GET /row?id=$::key",
 "POST /hook\n" . body('bills.write.unsuccessful', @of),
 "GET /row?id=$::key",
 "POST /hook\n" . body('bills.write.successful', @of,
                       generated => '2026-05-04T03:02:02Z'),
 "GET /row?id=$::key",
 "GET /row?id=other"]
--- response_body_like eval
['accepted', "^$::key\\|Pending\\|false\\|\\|$::c1\\|",
 'accepted', "^$::key\\|Failed\\|true\\|\\|$::c1\\|$::c2\\|bills\\|\\w+\\|[^|]*"
     . '\|\|\|20\d\d-\S+Z\|2026-05-04T03:02:\S+Z$',
 'accepted', "^$::key\\|Success\\|true\\|true\\|$::c1\\|$::c2\\|bills\\|\\w+"
     . '\|r-1\|\|\|20\d\d-\S+Z\|2026-05-04T03:02:\S+Z$',
 '^\|{12}$']
--- error_code eval
[(200) x 7]



=== TEST 3: of connections; control characters are spaces
--- lookup eval
CORE::join("\n", map { "\$c_$_ zone=codat connection \$arg_id $_" }
    qw(id companyId status previousStatus integrationKey errorMessage))
--- config
location /row {
    return 200 "$c_id|$c_companyId|$c_status|$c_previousStatus|$c_integrationKey|$c_errorMessage";
}
--- request eval
my @of = (connection => $::c1, company => $::c2);
["POST /hook\n" . event('connection.connected', @of), "GET /row?id=$::c1",
 "POST /hook\n" . event('connection.failed', @of,
                       error => "Line one\nline \"two\""),
 "GET /row?id=$::c1"]
--- response_body eval
my $said = qr/"accepted"/;
[$said, "$::c1|$::c2|Linked||xmpl|", $said,
 qq($::c1|$::c2|PendingAuth|Linked|xmpl|Line one line "two")]
--- error_code eval
[(200) x 4]



=== TEST 4: of companies
--- lookup
$name zone=codat company $arg_id name
$deleted zone=codat company $arg_id deleted
$created zone=codat company $arg_id createdOn
--- config
location /row { return 200 "$name|$deleted|$created"; }
--- request eval
my @of = (company => $::c1, company_name => "Finch\tOrch\x{7f}ard");
["GET /row?id=$::c1", "POST /hook\n" . event('company.created', @of),
 "GET /row?id=$::c1", "POST /hook\n" . event('company.deleted', @of),
 "GET /row?id=$::c1"]
--- response_body_like eval
['^\|\|$', 'accepted', '^Finch Orch ard\|\|20\d\d-\S+Z$', 'accepted',
 '^Finch Orch ard\|true\|20\d\d-\S+Z$']
--- error_code eval
[(200) x 5]



=== TEST 5: keys are UUIDs in any case, or any text
--- request eval
["POST /hook\n" . event('connection.connected', connection => $::c1),
 "POST /hook\n" . event('connection.connected', connection => 'Any text'),
 map { "GET /get$_" }
     '?id=' . uc $::c1, '?id=' . substr($::c1, 1), '?id=Any%20text',
     '?id=any%20text', '?id=', '', '?id=' . 'x' x 300]
--- response_body eval
my $said = qr/"accepted"/;
[$said, $said, '[Linked]', '[]', '[]', '[]', '[]', '[]', '[]']
--- error_code eval
[(200) x 9]



=== TEST 6: the key may be put together from variables and text
--- lookup
$linked zone=codat connection ${arg_a}-$arg_b status
$whole zone=codat connection fixed-1 status
--- config
location /whole { return 200 "[$whole]"; }
--- request eval
["POST /hook\n" . event('connection.connected', connection => 'fixed-1'),
 "GET /get?a=fixed&b=1", "GET /get?a=fixed&b=2", "GET /whole"]
--- response_body eval
[qr/"accepted"/, '[Linked]', '[]', '[Linked]']
--- error_code eval
[(200) x 4]



=== TEST 7: it guards a location by "if"
--- config
location /guard {
    if ($linked != Linked) { return 409; }
    return 204;
}
--- request eval
my @of = (connection => $::c1);
["GET /guard?id=$::c1", "POST /hook\n" . event('connection.connected', @of),
 "GET /guard?id=$::c1", "POST /hook\n" . event('connection.disconnected', @of),
 "GET /guard?id=$::c1"]
--- error_code eval
[409, 200, 204, 200, 409]



=== TEST 8: it is mapped
--- http_config
map $linked $text {
    default  "ask the customer to link again";
    Linked   "go on";
    ""       "who?";
}
--- config
location /text { return 200 $text; }
--- request eval
my @of = (connection => $::c1);
["GET /text?id=$::c1", "POST /hook\n" . event('connection.connected', @of),
 "GET /text?id=$::c1", "POST /hook\n" . event('connection.disconnected', @of),
 "GET /text?id=$::c1"]
--- response_body eval
my $said = qr/"accepted"/;
['who?', $said, 'go on', $said, 'ask the customer to link again']
--- error_code eval
[(200) x 5]



=== TEST 9: it answers auth_request, and is passed on
--- lookup
$linked zone=codat connection $id status
--- config
location /api/ {
    set $id $arg_id;
    auth_request /linked;
    auth_request_set $known $linked;
    proxy_set_header X-Known $known;
    proxy_pass http://$TEST_NGINX_APP/;
}
location = /linked {
    internal;
    if ($linked = Linked) { return 204; }
    return 401;
}
--- request eval
my @of = (connection => $::c1);
["POST /hook\n" . event('connection.disconnected', @of),
 "GET /api/?id=$::c1", "POST /hook\n" . event('connection.reconnected', @of),
 "GET /api/?id=$::c1"]
--- error_code eval
[200, 401, 200, 200]
--- seen eval
[undef, undef, undef, { 'X-Known' => 'Linked' }]



=== TEST 10: forwards and their conditions see what the event has changed
--- lookup
$linked zone=codat connection $codat_connection_id status
$before zone=codat connection $codat_connection_id previousStatus
--- hook
    codat_forward * /fwd/a if=$before;
    codat_forward * /fwd/b optional if=$none;
--- config
location /fwd/ {
    internal;
    proxy_set_header X-Status $linked;
    proxy_set_header X-Before $before;
    proxy_pass http://$TEST_NGINX_APP;
}
--- http_config
map "" $none { default 0; }
--- request eval
my @of = (connection => $::c1);
["POST /hook\n" . event('connection.connected', @of),
 "POST /hook\n" . event('connection.disconnected', @of)]
--- error_code eval
[200, 200]
--- seen eval
[{}, { 'X-Status' => 'Unlinked', 'X-Before' => 'Linked' }]



=== TEST 11: a value that was read before the event was is not kept
--- lookup
$linked zone=codat connection $codat_connection_id status
--- hook
    set $early "[$linked]";
    codat_forward * /fwd/;
    add_header X-Early $early;
    add_header X-Late $linked;
--- config
location /fwd/ {
    internal;
    proxy_set_header X-Status $linked;
    proxy_pass http://$TEST_NGINX_APP;
}
--- request eval
"POST /hook\n" . event('connection.connected', connection => $::c1)
--- response_headers
X-Early: []
X-Late: Linked
--- seen eval
[{ 'X-Status' => 'Linked' }]



=== TEST 12: otherwise it is read once for a request, as a map is
--- config
location /chain {
    set $first "[$linked]";
    proxy_set_header Authorization $http_authorization;
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/hook;
    add_header X-First $first;
    add_header X-Then "[$linked]";
}
--- request eval
["POST /chain?id=$::c1\n"
     . event('connection.connected', connection => $::c1),
 "GET /get?id=$::c1"]
--- response_body eval
[qr/"accepted"/, '[Linked]']
--- response_headers eval
["X-First: []\nX-Then: []", '']
--- error_code eval
[200, 200]



=== TEST 13: logs have it
--- http_config
log_format looked '$request_method [$status] [$now]';
--- lookup
$now zone=codat connection $codat_connection_id status
--- config
access_log logs/access.log looked;
--- request eval
"POST /hook\n" . event('connection.connected', connection => $::c1)
--- access_log
POST [200] [Linked]



=== TEST 14: zones are told apart
--- lookup
$linked zone=codat connection $arg_id status
$second zone=second connection $arg_id status
--- http_config
codat_zone zone=second:1m;
--- config
location /second { codat_webhook zone=second; }
location /both { return 200 "[$linked][$second]"; }
--- request eval
["POST /second\n" . event('connection.connected', connection => $::c1),
 "GET /both?id=$::c1"]
--- response_body eval
[qr/"accepted"/, '[][Linked]']
--- error_code eval
[200, 200]



=== TEST 15: a row that was forgotten is no more
--- http_config
codat_zone zone=tiny:32k;
--- lookup
$linked zone=tiny push $arg_id status
--- config
location /tiny { codat_webhook zone=tiny; }
--- request eval
["POST /tiny\n" . body('bills.write.successful', push_key => $::key),
 "GET /get?id=$::key",
 (map { "POST /tiny\n" . body('bills.write.successful', push_key => uuid()) }
     1 .. 80),
 "GET /get?id=$::key"]
--- response_body eval
my $said = qr/"accepted"/;
[$said, '[Success]', ($said) x 80, '[]']
--- error_code eval
[(200) x 83]



=== TEST 16: arguments are missing
--- lookup
$linked zone=codat connection $arg_id
--- emerg
"codat_lookup" has 4 arguments, these five are expected: $VARIABLE zone=NAME push|connection|company KEY FIELD



=== TEST 17: or too many
--- lookup
$linked zone=codat connection $arg_id status more
--- emerg
"codat_lookup" has 6 arguments, these five are expected: $VARIABLE zone=NAME push|connection|company KEY FIELD



=== TEST 18: no variable
--- lookup
linked zone=codat connection $arg_id status
--- emerg
"codat_lookup" has an invalid "linked": the name of a variable is expected, such as $linked



=== TEST 19: a variable without a name
--- lookup
$ zone=codat connection $arg_id status
--- emerg
"codat_lookup" has an invalid "$": the name of a variable is expected, such as $linked



=== TEST 20: a variable that is there
--- lookup
$host zone=codat connection $arg_id status
--- emerg
"codat_lookup" has a variable "$host" that nginx or another directive makes, a name that is not in use is expected



=== TEST 21: a variable of a map
--- http_config
map $host $mine { default 1; }
--- lookup
$mine zone=codat connection $arg_id status
--- emerg
"codat_lookup" has a variable "$mine" that nginx or another directive makes, a name that is not in use is expected



=== TEST 22: a map of the variable
--- lookup
$mine zone=codat connection $arg_id status;map $host $mine { default 1; } #
--- emerg
the duplicate "mine" variable



=== TEST 23: a variable that was looked up
--- lookup
$linked zone=codat connection $arg_id status
$Linked zone=codat push $arg_id status
--- must_die
--- suppress_stderr
--- error_log eval
qr/\[emerg\] .* "codat_lookup" has a variable "\$Linked" that another "codat_lookup" makes in \S+:\d+, each needs a name of its own in \S+:\d+$/



=== TEST 24: no zone
--- lookup
$linked codat connection $arg_id status
--- emerg
"codat_lookup" has an invalid "codat": zone=NAME, the name of a "codat_zone", is expected



=== TEST 25: an empty zone
--- lookup
$linked zone= connection $arg_id status
--- emerg
"codat_lookup" has an empty "zone="



=== TEST 26: an unknown zone
--- lookup
$linked zone=other connection $arg_id status
--- emerg
"codat_lookup" names a zone "other" that no "codat_zone zone=other:SIZE;" declares



=== TEST 27: an unknown kind
--- lookup
$linked zone=codat dataset $arg_id status
--- emerg
"codat_lookup" has an invalid "dataset": push, connection or company is expected



=== TEST 28: an unknown field of a push
--- lookup
$linked zone=codat push $arg_id Status
--- emerg
"codat_lookup" has an unknown field "Status" of a push, one of these is expected: pushOperationKey, status, final, corrected, companyId, connectionId, dataType, type, recordId, attachmentId, errorMessage, reference, requestedOn, completedOn, updatedOn



=== TEST 29: of a connection
--- lookup
$linked zone=codat connection $arg_id final
--- emerg
"codat_lookup" has an unknown field "final" of a connection, one of these is expected: id, companyId, status, previousStatus, integrationKey, platformName, sourceType, errorMessage, changedOn, updatedOn



=== TEST 30: of a company
--- lookup
$linked zone=codat company $arg_id status
--- emerg
"codat_lookup" has an unknown field "status" of a company, one of these is expected: id, name, deleted, createdOn, deletedOn, initialReadCompletedOn, updatedOn



=== TEST 31: no key
--- lookup
$linked zone=codat push "" status
--- emerg
"codat_lookup" has an invalid "": a key is expected, such as $arg_id



=== TEST 32: a key of a variable that nobody makes
--- lookup
$linked zone=codat push $nobody status
--- must_die
--- suppress_stderr
--- error_log eval
qr/\[emerg\] .* unknown "nobody" variable/



=== TEST 33: in a server
--- config
codat_lookup $more zone=codat push $arg_id status;
--- emerg
"codat_lookup" directive is not allowed here

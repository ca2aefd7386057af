# mistakes in the configuration of stores and of the delivery from them: what
# nginx says of each, and that it refuses; and what it takes

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;
use File::Temp ();

# not where nginx is, which is removed while the database is being closed

our $dir = File::Temp->newdir;
chmod(0777, $dir);

our $body = '{"id":"e-1","eventType":"company.added","payload":{}}';
our $accepted = '{"id":"e-1","type":"company.added","result":"accepted"}';

my @secrets = ('t0ken', 'pa55');
my $http = "codat_zone zone=codat:1m store=sqlite:$dir/codat.db;\n";
my $config = "location /app/ { internal; return 204; }
              location /webhook { codat_credential bearer t0ken;";

webhook_blocks(http => $http, config => "$config codat_webhook zone=codat; }",
               secrets => \@secrets);


# "--- emerg" has the line, whole but for the place in the file, with which
# nginx refuses what stands in "--- zone" (arguments of codat_zone), "--- http"
# (beside a zone with a store), "--- hook" (arguments of codat_webhook) or
# "--- location" (beside a codat_webhook); "--- refused" is a pattern instead.

add_block_preprocessor(sub {
    my $block = shift;
    my $emerg = $block->emerg;
    my $hook = $block->hook // 'zone=codat';
    my $location = $block->location // '';

    $block->set_value(http_config => 'codat_zone ' . $block->zone . ';')
        if defined $block->zone;
    $block->set_value(http_config => $http . $block->http)
        if defined $block->http;
    $block->set_value(config => "$config codat_webhook $hook; $location }");

    return if !defined $emerg && !defined $block->refused;

    chomp($emerg) if defined $emerg;
    $block->set_value(suppress_stderr => '');
    $block->set_value(must_die => 1);
    $block->set_value(no_error_log => ['[alert]', '[crit]', @secrets]);
    $block->set_value(error_log => [$block->refused
        // qr/\[emerg\] \d+#\d+: \Q$emerg\E(?:,? in \S+:\d+)?$/]);
});


run_tests();

__DATA__

=== TEST 1: store=: SQLite needs a file
--- zone: zone=codat:1m store=sqlite:
--- emerg
"codat_zone" has a store without a file, store=sqlite:PATH is expected


=== TEST 2: store=: the folder has to be there
--- zone: zone=codat:1m store=sqlite:nowhere/codat.db
--- refused eval
qr{\[emerg\].* "codat_zone" has a store in a folder "\S+/nowhere/" that is not there, it has to be made first \(2: }


=== TEST 3: store=: a folder is no file
--- zone: zone=codat:1m store=sqlite:/tmp
--- emerg
"codat_zone" has a store "/tmp" that is no file, store=sqlite:PATH is expected


=== TEST 4: store=: a name with a slash at its end is no file
--- zone: zone=codat:1m store=sqlite:/tmp/
--- emerg
"codat_zone" has a store "/tmp/" that is no file, store=sqlite:PATH is expected


=== TEST 5: store=: two zones can't have one file
--- http eval: "codat_zone zone=two:1m store=sqlite:$main::dir/codat.db;"
--- refused eval
qr{\[emerg\].* "codat_zone" has a store "\S+/codat\.db" that another zone has already, each needs a file of its own in }


=== TEST 6: store=: what follows the name of an unknown kind is not logged
--- zone: zone=codat:1m store=redis://codat:pa55@127.0.0.1:6379/0
--- emerg
"codat_zone" has a store "redis" that this build does not have, store=off and store=sqlite:PATH are allowed


=== TEST 7: delivery=queued needs a store
--- zone: zone=codat:1m
--- hook: zone=codat delivery=queued
--- emerg
"codat_webhook" has delivery=queued, which needs a store, and zone "codat" has none, such as store=sqlite:PATH


=== TEST 8: delivery=: another word
--- hook: zone=codat delivery=later
--- emerg
"codat_webhook" has an invalid "later": delivery=sync or delivery=queued is expected


=== TEST 9: max= and order= need a queue: of an endpoint without a store
--- zone: zone=codat:1m
--- location: codat_forward * /app/ max=2;
--- refused eval
qr{\[emerg\].* "codat_forward" to "/app/" has max= or order=, which delivery=queued alone knows, in the location of }


=== TEST 10: max= and order= need a queue: of one with delivery=sync
--- hook: zone=codat delivery=sync
--- location: codat_forward * /app/ order=push;
--- refused eval
qr{\[emerg\].* "codat_forward" to "/app/" has max= or order=, which delivery=queued alone knows, in the location of }


=== TEST 11: max=: none at all
--- location: codat_forward * /app/ max=0;
--- emerg
"codat_forward" has an invalid "max=0": a number from 1 to 1024 is expected


=== TEST 12: max=: too many
--- location: codat_forward * /app/ max=1025;
--- emerg
"codat_forward" has an invalid "max=1025": a number from 1 to 1024 is expected


=== TEST 13: max=: no number
--- location: codat_forward * /app/ max=-1;
--- emerg
"codat_forward" has an invalid "max=-1": a number from 1 to 1024 is expected


=== TEST 14: max=: a second one
--- location: codat_forward * /app/ max=1 max=2;
--- emerg
"codat_forward" has a second "max="


=== TEST 15: max=: no value
--- location: codat_forward * /app/ max=;
--- emerg
"codat_forward" has an empty "max="


=== TEST 16: order=: another word
--- location: codat_forward * /app/ order=connection;
--- emerg
"codat_forward" has an invalid "order=connection": order=company or order=push is expected


=== TEST 17: order=: a second one
--- location: codat_forward * /app/ order=push order=company;
--- emerg
"codat_forward" has a second "order="


=== TEST 18: order=: no value
--- location: codat_forward * /app/ order=;
--- emerg
"codat_forward" has an empty "order="


=== TEST 19: codat_retry: no time
--- location: codat_retry often;
--- emerg
"codat_retry" has an invalid "often": times such as 5s 5m 30m are expected


=== TEST 20: codat_retry: not at once
--- location: codat_retry 5s 0;
--- emerg
"codat_retry" has an invalid "0": times such as 5s 5m 30m are expected


=== TEST 21: codat_retry: no value
--- location: codat_retry;
--- emerg
invalid number of arguments in "codat_retry" directive


=== TEST 22: codat_retry: a second one
--- location: codat_retry 5s; codat_retry 5m;
--- emerg
"codat_retry" directive is duplicate


=== TEST 23: store=off is as no store, and delivery=sync the default of it
--- zone: zone=codat:1m store=off
--- location: codat_forward * /app/;
--- request eval: "POST /webhook\n$main::body"
--- more_headers
Authorization: Bearer t0ken
Content-Type: application/json
--- response_body eval: $main::accepted
--- error_code: 200


=== TEST 24: an "if" block has the forwards of its location once more
--- zone: zone=codat:1m
--- location: codat_forward * /app/; if ($arg_never) { set $x 1; }
--- request eval: "POST /webhook\n$main::body"
--- more_headers
Authorization: Bearer t0ken
Content-Type: application/json
--- response_body eval: $main::accepted
--- error_code: 200

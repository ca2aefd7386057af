# What forwards ask the tables, while only the store knows it: a condition is
# as true as it would be if the zone had it, and right after a start, before
# the zone has it all, what needs codat_lookup waits for it.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Slow;
use CodatTest::Upstream;
use Test::More;

# as many as take a good second: under a sanitizer, on a machine with other
# work, a tenth of them takes ten
use constant ROWS => int(200_000 / slow(slow(1)));

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2,
    timeout => 30, conf => {
    http => 'codat_zone zone=codat:64m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_zone zone=bare:2m store=sqlite:{{prefix}}/bare.db;'
        . ' codat_credential bearer sesame;'
        . ' codat_lookup $found zone=codat push $codat_push_key reference;',
    server => "
        location /codat/ { codat_status zone=codat; }
        location /bare/  { codat_status zone=bare; }
        location /app/   { internal; proxy_set_header X-Found \$found;
                           proxy_set_header X-Reference \$codat_reference;
                           proxy_pass http://@{[$app->address]}; }
        location = /bare-if { codat_webhook zone=bare;
                              codat_forward * /app/bare
                                            if=\$codat_reference; }
        location = /if    { codat_webhook zone=codat;
                            codat_forward * /app/if if=\$found; }
        location = /queue { codat_webhook zone=codat;
                            codat_forward * /app/queue; }
        location = /sync  { codat_webhook zone=codat delivery=sync;
                            codat_forward * /app/sync; }
        location = /none  { codat_webhook zone=codat; }" })->start;


sub hook {
    my ($path, $key) = @_;

    my $client = $nginx->client(timeout => 20);
    $client->send($client->build('POST', $path,
        { Authorization => 'Bearer sesame', Connection => 'close',
          'webhook-id' => "msg_$path$key",
          'Content-Type' => 'application/json' },
        body('items.write.successful', push_key => $key)));

    return $client;
}


sub register {
    my ($path, $key, $reference) = @_;

    is($nginx->request('PUT', "$path/$key", {},
                       qq({"reference":"$reference"}))->status, 201,
       "$reference is registered");
}


sub sql {
    my ($name, $sql) = @_;

    return $nginx->sql($sql, $name);
}


sub headers {
    return { map { lc $_->[0] => $_->[1] } @{$_[0]{headers}} };
}


sub loaded {
    return $nginx->request('GET', '/codat/')->json->{store}{loaded}
        ? 1 : 0;
}


subtest 'a condition on a push that only the store knows' => sub {
    my ($mine, $other) = (uuid(), uuid());
    ok($nginx->wait_loaded('/bare/'), 'the zone has what the store knows');
    register('/bare/pushes', $mine, 'row-1');

    # as if the zone had had no room for it any more
    is(sql('bare', "UPDATE push SET id = '$other' WHERE id = '$mine'"), '',
       'the row has another id');
    is($nginx->request('GET', "/bare/pushes/$other")->status, 404,
       'which the zone does not know');

    is(hook('/bare-if', $other)->read_response->json->{result}, 'queued',
       'the condition holds');
    my ($request) = $app->wait_requests(1);
    is(headers($request)->{'x-reference'}, 'row-1', 'the reference');
    is($nginx->request('GET', "/bare/pushes/$other")->json->{reference},
       'row-1', 'now the zone knows it');

    is(hook('/bare-if', uuid())->read_response->json->{result}, 'accepted',
       'of a push that nobody knows it does not hold');
};


# after so many others, so that the zone has it last

subtest 'lookups right after the start' => sub {
    $app->reset;
    my $key = uuid();
    register('/codat/pushes', $key, 'row-2');
    $nginx->stop;

    is(sql('codat', 'WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT'
               . ' i + 1 FROM n WHERE i < ' . ROWS . ') INSERT INTO push (id,'
               . ' touched, version, origin, state, flags, record) SELECT'
               . " printf('%08x-0000-4000-8000-000000000000', i), touched,"
               . ' i, origin, state, flags, record FROM n, push;'
               . ' UPDATE push SET version = ' . (ROWS + 1)
               . " WHERE id = '$key';"
               . ' UPDATE meta SET value = ' . (ROWS + 1)
               . " WHERE key = 'row_version'"), '', 'many rows');

    $nginx->start;
    my %client = map { $_ => hook($_, $key) } qw(/if /queue /sync);

    is(hook('/none', uuid())->read_response->json->{result}, 'accepted',
       'what asks for nothing is answered');
    is($client{'/queue'}->read_response->json->{result}, 'queued',
       'what is queued is answered');
    is(loaded(), 0, 'by then the zone does not know all');

    is($client{'/if'}->read_response(timeout => 15)->json->{result},
       'queued', 'the condition waits, and holds');
    is($client{'/sync'}->read_response(timeout => 15)->json->{result},
       'accepted', 'a forward at once waits');
    is(loaded(), 1, 'now it knows all');

    my @requests = $app->wait_requests(3, 10);
    is(join(' ', map { $_->{uri} . '=' . (headers($_)->{'x-found'} // '') }
                 sort { $a->{uri} cmp $b->{uri} } @requests),
       '/app/if=row-2 /app/queue=row-2 /app/sync=row-2',
       'each was sent with what was looked up');
};


# nobody is left behind when clients go meanwhile

subtest 'clients that leave while they wait' => sub {
    $nginx->stop;
    $nginx->start;
    my @clients = map { hook('/if', uuid()) } 1 .. 8;
    is(hook('/none', uuid())->read_response->json->{result}, 'accepted',
       'others have been sent');
    undef @clients;
    ok($nginx->wait_idle(15), 'no request is left');
};


$nginx->stop;
no_bad_log($nginx);
done_testing();

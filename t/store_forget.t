# Pushes that are forgotten on request are forgotten by the store as well, by
# all workers, and do not come back with a restart.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use Test::More;

my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame;',
    server => 'location /codat/ { codat_status zone=codat; }'
        . ' location = /hook { codat_webhook zone=codat; }' })->start;


sub ask {
    my ($method, $key, $body) = @_;

    return $nginx->request($method, "/codat/pushes/$key", {}, $body);
}


sub sql { $nginx->sql(@_) }


sub refused {
    my ($key, $title) = @_;

    my $response = ask(DELETE => $key);
    is($response->status, 404, "$title: 404");
    is($response->json->{code}, 'not_found', "$title: the code");
}


# right after a start the zone is filled from the store

sub loaded {
    return ok($nginx->wait_loaded('/codat/'),
              'the zone has what the store knows');
}


loaded();

my ($kept, $gone) = (uuid(), uuid());

is(ask(PUT => $_, '{"reference":"row"}')->status, 201, 'a push')
    for $kept, $gone;

subtest 'a push that is known' => sub {
    my $response = ask(DELETE => $gone);
    is($response->status, 204, 'is forgotten');
    is($response->body, '', 'without a word');
    is(ask(GET => $gone)->status, 404, 'nobody knows it') for 1 .. 8;
    is(sql('SELECT id FROM push'), $kept, 'nor does the store');
    refused($gone, 'once more');
};

subtest 'one that only the store knows' => sub {
    my $other = uuid();
    is(sql("UPDATE push SET id = '$other' WHERE id = '$kept'"), '', 'made');
    is(ask(DELETE => $other)->status, 204, 'is forgotten');
    is(sql('SELECT count(*) FROM push'), 0, 'the store has none');
    refused($other, 'once more');
};

subtest 'one that only the zone knows' => sub {
    is(ask(DELETE => $kept)->status, 204, 'is forgotten');
    refused($kept, 'once more');
};

subtest 'ones that there never were' => sub {
    refused(uuid(), 'a UUID');
    refused('a/b', 'with a slash');
    refused('x' x 200, 'too long');
};

subtest 'a restart brings back what was kept, and that alone' => sub {
    is(ask(PUT => $_, '{"reference":"row"}')->status, 201, 'a push')
        for $kept, $gone;
    is(ask(DELETE => $gone)->status, 204, 'one is forgotten');
    ok($nginx->stop, 'nginx ends');
    $nginx->start;
    loaded();
    is(ask(GET => $kept)->status, 200, 'one is known');
    is(ask(GET => $gone)->status, 404, 'the other is not');
};

subtest 'a webhook about one that was forgotten makes it anew' => sub {
    my $response = $nginx->request('POST', '/hook',
        { Authorization => 'Bearer sesame', 'webhook-id' => 'msg_1',
          'Content-Type' => 'application/json' },
        body('items.write.successful', push_key => $gone));
    is($response->status, 200, 'is accepted');
    my $row = ask(GET => $gone)->json;
    is($row->{status}, 'Success', 'its status');
    is($row->{reference}, undef, 'without the reference it had');
};

subtest 'a store that fails' => sub {
    my $db = $nginx->prefix . '/codat.db';
    rename($db, "$db.away") or die "$db: $!\n";
    my $response = ask(DELETE => $gone);
    is($response->status, 503, 'is said');
    is($response->header('Retry-After'), 5, 'for the time being');
    rename("$db.away", $db) or die "$db: $!\n";
    is(ask(DELETE => $gone)->status, 204, 'it works again');
    is(sql("SELECT count(*) FROM push WHERE id = '$gone'"), 0, 'for good');
};

ok($nginx->stop, 'nginx ends');
no_bad_log($nginx, except => qr/codat\.db/);

done_testing;

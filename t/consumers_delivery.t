# What goes out to consumers: to whom, as what, signed how; again after a
# failure, never again after status 410, and not held up by one that hangs.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Upstream;
use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(handler => sub {
    my $request = shift;

    my ($what) = $request->{uri} =~ m{^/(\w+)};
    return { status => 410 } if $what eq 'gone';
    return { status => 500 } if $what eq 'fail';
    return { status => 429, headers => [['Retry-After', 3]] }
        if $what eq 'later';
    return { status => 302, headers => [['Location', '/ok/followed']] }
        if $what eq 'moved';
    return { status => 200, delay => 60 } if $what eq 'hang';
    return { status => 200, body => 'x' x 100_000 } if $what eq 'long';

    return { status => 204 };
});
my $base = 'http://' . $app->address;

my $t = CodatTest::Consumers->new(
    allow => "$base,127.0.0.1",
    api => 'codat_retry 1s 1s; codat_forward_timeout 2s;',
    out => 'proxy_pass $codat_consumer_url; proxy_set_header X-Consumer'
        . ' $codat_consumer_id; proxy_set_header X-Attempt $codat_attempt;'
        . ' proxy_set_header X-Type $codat_event_type;',
    server => 'location = /sync { codat_webhook zone=codat delivery=sync;'
        . ' codat_forward * /app/; }'
        . " location /app/ { internal; proxy_pass $base; }");
my $nginx = $t->nginx;


# what the database says, while nginx goes on with it

sub sql {
    my $sql = shift;

    my @lines = qx(sqlite3 @{[$nginx->prefix]}/codat.db \\
        '.timeout 5000' "$sql" 2>&1);
    chomp @lines;

    return join(' ', @lines);
}


sub wait_sql {
    my ($sql, $want, $timeout) = @_;

    my $until = time + slow($timeout // 8);
    my $got;
    while (time < $until) {
        $got = sql($sql);
        last if $got eq $want;
        sleep(0.05);
    }

    return is($got, $want, $sql);
}


sub consumer {
    my ($path, %members) = @_;

    my $made = $t->create(url => "$base/$path", %members);
    is($t->{status}, 201, "a consumer at /$path");

    return $made;
}


sub headers {
    return { map { lc $_->[0] => $_->[1] } @{$_[0]{headers}} };
}


sub drop_all {
    $t->call(DELETE => "webhooks/$_->{id}")
        for @{$t->call(GET => 'webhooks')->{results}};
    $app->reset;
}


sub states {
    my $id = shift;

    return 'SELECT d.state, d.attempts, d.last_status FROM consumer_delivery'
        . " d JOIN consumer c ON c.id = d.consumer WHERE c.uid = '$id'"
        . ' ORDER BY d.id';
}


my $number = 0;

sub event {
    my ($type, %opt) = @_;

    my $id = 'msg_' . ++$number;
    my $status = $t->event(body($type, %opt), 'webhook-id' => $id);
    is($status, 200, "an event $type");

    return $id;
}


subtest 'an event goes out as it came in, signed with its own secret' => sub {
    my $made = consumer('ok/a?b=c', eventTypes => ['company.*']);
    my $other = consumer('ok/other', eventTypes => ['company.*']);
    my $body = body('company.created');
    $body =~ s/,/ ,\n/;

    is($t->event($body, 'webhook-id' => 'msg_first',
                 'X-Codat-ClientId' => 'c1', 'webhook-signature' => 'v1,abc'),
       200, 'received');

    my ($request) = grep { $_->{uri} =~ m{^/ok/a} } $app->wait_requests(2);
    my $headers = headers($request);
    is($request->{method}, 'POST', 'method');
    is($request->{uri}, '/ok/a?b=c', 'URI');
    is($request->{body}, $body, 'body, byte by byte');
    is($headers->{host}, $app->address, 'Host');
    is($headers->{'content-type'}, 'application/json', 'Content-Type');
    is($headers->{'webhook-id'}, 'msg_first', 'webhook-id');
    is($headers->{'x-consumer'}, $made->{id}, '$codat_consumer_id');
    is($headers->{'x-attempt'}, 1, '$codat_attempt');
    is($headers->{'x-type'}, 'company.created', '$codat_event_type');
    is($headers->{authorization}, undef, 'nothing of our credentials');
    is($headers->{'x-codat-clientid'}, undef, 'nor of what Codat adds');
    cmp_ok(abs(time - $headers->{'webhook-timestamp'}), '<', 60, 'timestamp');
    is($headers->{'webhook-signature'},
       sign($made->{secret}, 'msg_first', $headers->{'webhook-timestamp'},
            $body), 'signature');
    isnt($made->{secret}, $other->{secret}, 'each has a secret of its own');

    wait_sql(states($made->{id}), 'delivered|1|204');
    drop_all();
};


subtest 'a CloudEvent is signed as it is sent' => sub {
    my $made = consumer('ok/cloud', format => 'cloudevents');
    my $id = event('invoices.write.successful', push_key => uuid());

    my ($request) = $app->wait_requests(1);
    my $headers = headers($request);
    my $json = JSON::PP::decode_json($request->{body});
    is($json->{type}, 'io.codat.invoices.write.successful', 'type');
    is($headers->{'content-type'}, 'application/cloudevents+json',
       'Content-Type');
    is($headers->{'webhook-signature'},
       sign($made->{secret}, $id, $headers->{'webhook-timestamp'},
            $request->{body}), 'signature');
    is(scalar(grep { lc $_->[0] eq 'webhook-id' } @{$request->{headers}}), 1,
       'one webhook-id');
    drop_all();
};


subtest 'only those that ask for it get it' => sub {
    consumer('ok/all');
    consumer('ok/invoices', eventTypes => ['invoices.*', '*.write.*']);
    consumer('ok/legacy', eventTypes => ['New company synchronised']);
    consumer('ok/uk', companyTags => ['region:uk']);
    consumer('ok/off', disabled => JSON::PP::true);

    event('invoices.write.successful', push_key => uuid());
    wait_sql('SELECT count(*) FROM event WHERE fanout = 1', 0);
    wait_sql("SELECT count(*) FROM consumer_delivery WHERE state = 'pending'",
             0);

    is(join(' ', sort map { $_->{uri} } $app->requests),
       '/ok/all /ok/invoices', 'they');
    drop_all();

    # what an event says of tags is known for those that don't

    consumer('ok/uk', companyTags => ['region:uk', 'tier:gold']);
    my $company = uuid();
    my $tagged = JSON::PP::encode_json({ id => uuid(),
        eventType => 'connection.created',
        payload => { referenceCompany => { id => $company, name => 'x',
                                           tags => { region => 'uk' } } } });
    my $bare = JSON::PP::encode_json({ id => uuid(),
        eventType => 'connection.deleted',
        payload => { referenceCompany => { id => $company, name => 'x' } } });
    my $other = JSON::PP::encode_json({ id => uuid(),
        eventType => 'connection.deleted',
        payload => { referenceCompany => { id => uuid(), name => 'x' } } });

    is($t->event($_), 200, 'received') for $tagged, $bare, $other;
    wait_sql('SELECT count(*) FROM event WHERE fanout = 1', 0);
    wait_sql("SELECT count(*) FROM consumer_delivery WHERE state = 'pending'",
             0);
    is(join(' ', map { headers($_)->{'x-type'} } $app->requests),
       'connection.created connection.deleted', 'by tags');
    drop_all();
};


subtest 'a failure is repeated, under the same id, signed anew' => sub {
    my $made = consumer('fail/x');
    my $id = event('company.created');

    my @requests = $app->wait_requests(3, 10);
    is(scalar @requests, 3, 'attempts');
    is(headers($_)->{'webhook-id'}, $id, 'webhook-id') for @requests;
    is(join(' ', map { headers($_)->{'x-attempt'} } @requests), '1 2 3',
       '$codat_attempt');

    # two of them may be of one second, as 1s of codat_retry may be 0.9
    my @stamps = map { headers($_)->{'webhook-timestamp'} } @requests;
    is("@stamps", join(' ', sort { $a <=> $b } @stamps), 'timestamps');
    cmp_ok($stamps[2] - $stamps[0], '>=', 1, 'are those of the attempts');
    is(headers($_)->{'webhook-signature'},
       sign($made->{secret}, $id, headers($_)->{'webhook-timestamp'},
            $_->{body}), 'signature') for @requests;

    wait_sql(states($made->{id}), 'dead|3|500');
    is(sql("SELECT last_error FROM consumer WHERE uid = '$made->{id}'"),
       'answered with status 500', 'and why');
    drop_all();
};


subtest 'Retry-After is heeded, redirects are not' => sub {
    my $later = consumer('later/x');
    my $moved = consumer('moved/x');
    event('company.created');

    wait_sql(states($moved->{id}), 'dead|3|302', 12);
    is(scalar(grep { $_->{uri} =~ /followed/ } $app->requests), 0,
       'nobody is redirected');
    my @times = map { $_->{time} }
        grep { $_->{uri} eq '/later/x' } $app->wait_requests(5, 10);
    cmp_ok($times[1] - $times[0], '>', 2.5, 'Retry-After');
    drop_all();
};


subtest 'status 410 removes a consumer' => sub {
    my $gone = consumer('gone/x');
    my $stays = consumer('ok/x');
    event('company.created');

    wait_sql("SELECT uid FROM consumer", $stays->{id});
    $t->call(GET => "webhooks/$gone->{id}");
    is($t->{status}, 404, 'the API says so');
    $app->reset;
    event('company.created');
    $app->wait_requests(1);
    wait_sql(states($stays->{id}), 'delivered|1|204 delivered|1|204');
    is(scalar $app->requests, 1, 'it gets nothing more');
    like($nginx->error_log, qr/consumer $gone->{id} is gone/, 'logged');
    drop_all();
};


subtest 'one that hangs delays nobody, and is cut off' => sub {
    consumer("hang/$_") for 1 .. 6;
    my $made = consumer('ok/quick');
    event('company.created') for 1 .. 10;

    my $from = time;
    wait_sql("SELECT count(*) FROM consumer_delivery d JOIN consumer c"
             . " ON c.id = d.consumer WHERE c.uid = '$made->{id}'"
             . " AND d.state = 'delivered'", 10);
    cmp_ok(time - $from, '<', slow(2), 'the others have theirs meanwhile');

    wait_sql("SELECT count(*) > 5 FROM consumer WHERE last_error ="
             . " 'not answered within codat_forward_timeout'", 1, 10);
    my %open = map { $_->{connection} => 1 }
        grep { $_->{uri} =~ /hang/ } $app->requests;
    cmp_ok(scalar keys %open, '<=', 6 * 3, 'one attempt at a time for each');

    my @ss = grep { /127\.0\.0\.1:@{[$app->port]}\s/ }
        qx(ss -Htn state established '( dport = :@{[$app->port]} )');
    cmp_ok(scalar @ss, '<=', 12, 'and one connection');
    drop_all();
};


subtest 'an answer is read, however long, and thrown away' => sub {
    my $made = consumer('long/x');
    event('company.created');
    wait_sql(states($made->{id}), 'delivered|1|200');
    drop_all();
};


subtest 'where the guard says no, nothing is sent' => sub {
    my $made = consumer('ok/x');
    sql("UPDATE consumer SET url = 'https://10.0.0.1/x'"
        . " WHERE uid = '$made->{id}'");
    event('company.created');
    wait_sql(states($made->{id}), 'dead|3|', 10);
    isnt(sql("SELECT last_error FROM consumer WHERE uid = '$made->{id}'"),
         '', 'why: ' . sql("SELECT last_error FROM consumer"));
    is(scalar $app->requests, 0, 'no request');
    drop_all();
};


subtest 'five days of failures disable it, and an event says so' => sub {
    my $made = consumer('fail/x', eventTypes => ['company.*']);
    my $watch = consumer('ok/watch', eventTypes => ['codat.*']);
    event('company.created');
    $app->wait_requests(1);
    wait_sql("SELECT failing > 0 FROM consumer WHERE uid = '$made->{id}'", 1);
    sql("UPDATE consumer SET failing = failing - 5 * 86400000000"
        . " WHERE uid = '$made->{id}'");

    wait_sql("SELECT disabled, disabled_reason FROM consumer"
             . " WHERE uid = '$made->{id}'", '1|failures');
    wait_sql(states($watch->{id}), 'delivered|1|204');
    my ($request) = grep { $_->{uri} eq '/ok/watch' } $app->requests;
    my $json = JSON::PP::decode_json($request->{body});
    is($json->{eventType}, 'codat.consumer.disabled', 'type');
    is($json->{payload}{id}, $made->{id}, 'whom it is about');
    is($json->{payload}{host}, $app->address, 'where');
    unlike($request->{body}, qr{fail/x}, 'its path is nobody\'s business');
    like(headers($request)->{'webhook-id'}, qr/^msg_[0-9a-f]{32}$/,
         'webhook-id');
    is($nginx->request('GET', "/codat/events/$json->{id}", {})->status, 200,
       'the status API has it');
    drop_all();
};


subtest 'a webhook that is forwarded at once goes out behind that' => sub {
    my $made = consumer('ok/sync');
    my $answer = $nginx->request('POST', '/sync',
        { Authorization => 'Bearer sesame', 'webhook-id' => 'msg_sync' },
        body('company.created'));
    is($answer->status, 200, 'accepted');
    wait_sql(states($made->{id}), 'delivered|1|204');
    is(join(' ', sort map { $_->{uri} } $app->requests), '/app/ /ok/sync',
       'both');
    drop_all();
};


subtest 'a rate is kept' => sub {
    my $made = consumer('ok/rate', rateLimit => 4);
    event('company.created') for 1 .. 12;
    wait_sql("SELECT count(*) FROM consumer_delivery d JOIN consumer c"
             . " ON c.id = d.consumer WHERE c.uid = '$made->{id}'"
             . " AND d.state = 'delivered'", 12, 15);
    my @times = map { $_->{time} } $app->requests;
    cmp_ok($times[-1] - $times[0], '>', 2, 'twelve in three seconds');
    drop_all();
};


subtest 'what was accepted goes out after a crash' => sub {
    my $made = consumer('ok/crash');
    event('company.created') for 1 .. 3;
    kill(KILL => $nginx->pid, $nginx->pids(all => 1));
    $nginx->stop;
    $nginx->start;

    # on a slow machine one may have been under way when nginx was killed
    wait_sql('SELECT count(*) FROM consumer_delivery d JOIN consumer c'
             . " ON c.id = d.consumer WHERE c.uid = '$made->{id}'"
             . " AND d.state = 'delivered' AND d.last_status = 204", 3, 40);
    is(scalar(grep { $_->{uri} eq '/ok/crash' } $app->requests) >= 3, 1,
       'each at least once');
    drop_all();
};


subtest 'what is under way when nginx is terminated is given back' => sub {
    my $made = consumer('hang/up');
    event('company.created');
    $app->wait_requests(1);
    ok($nginx->stop('TERM'), 'nginx ends');
    is(sql('SELECT state, attempts, owner, lease FROM consumer_delivery d'
           . " JOIN consumer c ON c.id = d.consumer"
           . " WHERE c.uid = '$made->{id}'"), 'pending|0|0|0',
       'nobody has it any more');
    $nginx->start;
    my @requests = $app->wait_requests(2, 10);
    is(scalar @requests, 2, 'it is sent again');
    drop_all();
};


subtest 'an event without an id has one of what it says' => sub {
    my $made = consumer('ok/nameless', format => 'cloudevents');
    my $body = body('company.created');
    $body =~ s/"id":"[^"]*",?// or die "no id in $body\n";
    is($t->event($body), 200, 'received');
    my ($request) = $app->wait_requests(1);
    my $id = headers($request)->{'webhook-id'};
    like($id, qr/^[0-9a-f]{32}\z/, 'webhook-id');
    is(headers($request)->{'webhook-signature'},
       (split(/ /, sign($made->{secret}, $id,
                        headers($request)->{'webhook-timestamp'},
                        $request->{body})))[0], 'signed with it');
    drop_all();
};


subtest 'a reload loses nothing' => sub {
    my $made = consumer('ok/reload');
    for (1 .. 5) {
        event('company.created');
        $nginx->reload if $_ == 3;
    }
    wait_sql(states($made->{id}), join(' ', ('delivered|1|204') x 5), 20);
    drop_all();
};


subtest 'metrics' => sub {
    my $page = $nginx->request('GET', '/codat/metrics', {})->body;
    like($page, qr/^codat_consumer_attempts_total\{zone="codat",outcome="delivered"\} [1-9]/m,
         'delivered');
    like($page, qr/^codat_consumer_attempts_total\{zone="codat",outcome="gone"\} \d/m,
         'gone');
    like($page, qr/^codat_consumer_deliveries_total\{zone="codat"\} [1-9]/m,
         'fan-out');
    like($page, qr/^codat_consumers\{zone="codat",state="active"\} \d/m,
         'consumers');
    like($page, qr/^codat_consumer_pending\{zone="codat"\} \d/m, 'pending');
};


ok($nginx->stop, 'all processes end');

my @bad = grep { /\[(alert|crit|emerg)\]/ }
    split /\n/, $nginx->error_log(all => 1);
is("@bad", '', 'nothing worse was logged');

done_testing;

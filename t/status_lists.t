# The status API: lists, their filters and pages

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Status;
use CodatTest::Upstream;
use Test::More;

my $app = CodatTest::Upstream->new(answer => { status => 200 });
my $api = CodatTest::Status->new(size => '4m', server => "
    location = /forwarded { codat_webhook zone=codat; codat_forward * /app; }
    location /app { internal; proxy_pass http://@{[$app->address]}; }
");
my $nginx = $api->nginx;
my @companies = map { uuid() } 1 .. 3;

# every push: [key, company, status, reference], oldest first
my @pushes;

sub keys_of { [map { $_->{pushOperationKey} // $_->{id} } @{shift()}] }

# what a filter should leave, newest first
sub want { my $filter = shift; [map { $_->[0] } reverse grep { $filter->(@$_) } @pushes] }


subtest 'rows are made' => sub {
    my @status = qw(Pending Success Failed TimedOut);

    for my $n (0 .. 47) {
        my ($key, $company) = (uuid(), $companies[$n % 3]);
        my $status = $status[$n / 3 % 4];
        my $reference = $n % 5 ? '' : 'ref ' . $n % 2;

        $api->request('PUT', "/pushes/$key", JSON::PP->new->encode({
            companyId => $company, $reference ? (reference => $reference)
                                              : () }));
        $api->hook(body('invoices.write.' . ($status eq 'Success'
                                             ? 'successful' : 'unsuccessful'),
                        push_key => $key, company => $company,
                        status => $status)) if $status ne 'Pending';
        push @pushes, [$key, $company, $status, $reference];
    }

    is($api->get('/')->{rows}{pushes}, 48, 'pushes');
};


subtest 'pushes, by every filter' => sub {
    my ($all, $lengths) = $api->list('/pushes?limit=1000');

    is_deeply(keys_of($all), want(sub { 1 }), 'all, newest first');
    is_deeply($lengths, [48], 'on one page');

    # a list shows what a single row shows
    is_deeply($all->[$_], $api->get("/pushes/$pushes[47 - $_][0]"), "row $_")
        for 0, 20, 47;

    for my $limit (1, 7, 16, 47, 48, 49) {
        my ($rows, $lengths) = $api->list("/pushes?limit=$limit");
        is_deeply($rows, $all, "pages of $limit: the same rows");
        is_deeply($lengths, [($limit) x int(48 / $limit),
                             48 % $limit ? 48 % $limit : ()],
                  "pages of $limit: full, no empty one at the end");
    }

    for my $status (qw(Pending Success Failed TimedOut)) {
        my $want = want(sub { $_[2] eq $status });
        for my $text ($status, lc $status, uc $status) {
            for my $limit (5, 100) {
                my ($rows) = $api->list("/pushes?status=$text&limit=$limit");
                is_deeply(keys_of($rows), $want, "status $text, $limit");
            }
        }
    }

    for my $company (@companies) {
        my $want = want(sub { $_[1] eq $company });
        for my $path ("companyId=$company&limit=3", "companyId=$company",
                      'companyId=' . uc $company)
        {
            my ($rows) = $api->list("/pushes?$path");
            is_deeply(keys_of($rows), $want, $path);
        }
        my ($rows) = $api->list("/pushes?limit=2&status=Success&companyId="
                                . $company);
        is_deeply(keys_of($rows),
                  want(sub { $_[1] eq $company && $_[2] eq 'Success' }),
                  'with a status');
    }

    for my $n (0, 1) {
        my $want = want(sub { $_[3] eq "ref $n" });
        for my $limit (1, 2, 100) {
            my ($rows) = $api->list("/pushes?reference=ref%20$n&limit=$limit");
            is_deeply(keys_of($rows), $want, "reference $n, $limit");
        }

        my ($rows) = $api->list("/pushes?reference=ref%20$n&limit=1"
                                . "&status=Failed&companyId=$companies[2]");
        is_deeply(keys_of($rows),
                  want(sub { $_[3] eq "ref $n" && $_[2] eq 'Failed'
                             && $_[1] eq $companies[2] }), 'all filters');

        is_deeply($api->get("/pushes?reference=ref+$n"),
                  $api->get("/pushes?reference=ref%20$n"), 'a "+" is a space');
    }

    my $none = { results => [], next => undef };
    is_deeply($api->get("/pushes?$_"), $none, $_)
        for 'companyId=' . uuid(), 'companyId=x', 'reference=ref',
            'reference=ref%2B0', 'reference=REF%200',
            "reference=ref%200&companyId=@{[uuid()]}";
};


my @connections;

subtest 'connections' => sub {
    for my $n (0 .. 29) {
        my $id = uuid();
        my ($event, $status) = @{(['connection.created', 'PendingAuth'],
                                  ['connection.connected', 'Linked'],
                                  ['connection.disconnected', 'Unlinked'],
                                  ['connection.deleted', 'Deleted'])[$n % 4]};
        $api->hook(body($event, connection => $id,
                        company => $companies[$n % 3]));
        unshift @connections, [$id, $companies[$n % 3], $status];
    }

    my ($all) = $api->list('/connections?limit=7');
    is_deeply(keys_of($all), [map { $_->[0] } @connections], 'all');
    is_deeply([map { $_->{status} } @$all], [map { $_->[2] } @connections],
              'their statuses');
    is_deeply([grep { exists $_->{datasets} } @$all], [],
              'datasets are for single rows');

    for my $status (qw(PendingAuth linked UNLINKED Deleted)) {
        my ($rows) = $api->list("/connections?limit=2&status=$status");
        is_deeply(keys_of($rows), [map { $_->[0] }
            grep { lc $_->[2] eq lc $status } @connections], $status);
    }

    my ($rows) = $api->list("/connections?limit=2&companyId=$companies[1]");
    is_deeply(keys_of($rows), [map { $_->[0] }
        grep { $_->[1] eq $companies[1] } @connections], 'of a company');
    ($rows) = $api->list("/connections?companyId=$companies[1]&status=linked");
    is_deeply(keys_of($rows), [map { $_->[0] }
        grep { $_->[1] eq $companies[1] && $_->[2] eq 'Linked' }
        @connections], 'with a status');
};


subtest 'companies' => sub {
    my @more = map { uuid() } 1 .. 7;
    $api->hook(body('company.created', company => $_)) for @more;

    for my $limit (1, 4, 100) {
        my ($all) = $api->list("/companies?limit=$limit");
        is_deeply([@{keys_of($all)}[0 .. 6]], [reverse @more],
                  "pages of $limit: newest first");
        is_deeply([sort @{keys_of($all)}], [sort @more, @companies], 'all');
        is_deeply([grep { exists $_->{connections} } @$all], [],
                  'connections are for single rows');
    }
};


subtest 'the default limit' => sub {
    $api->request('PUT', '/pushes/' . uuid(), '{"companyId":"many"}')
        for 1 .. 101;

    my ($rows, $lengths) = $api->list('/pushes?companyId=many');
    is_deeply($lengths, [100, 1], 'a hundred rows');
};


subtest 'events' => sub {
    $api->hook(body('company.created', company => $companies[0]));

    my $reference = 'tea "& cake"';
    my $key = uuid();
    $api->request('PUT', "/pushes/$key",
                  JSON::PP->new->encode({ reference => $reference }));

    my @bodies = (
        body('invoices.write.successful', push_key => $key),
        body('PushOperationStatusChanged', generation => 'legacy',
             push_key => $key, status => 'Success'),
        body('connection.connected', company => $companies[1],
             connection => $connections[0][0],
             generated => '2020-01-01T00:00:00Z'),
        body('connection.disconnected', company => uc $companies[1]),
        '{"strange":[1,2]}',
    );

    my @headers = ({ 'webhook-id' => 'msg_1' }, { 'svix-id' => 'msg "2"' },
                   { 'X-Codat-ClientId' => uuid() }, {}, {});

    $app->reset;
    for my $n (0 .. $#bodies) {
        my $response = $nginx->request('POST', '/forwarded',
            { Authorization => 'Bearer sesame', %{$headers[$n]} },
            $bodies[$n]);
        is($response->status, 200, "event $n");
    }

    my @forwarded = map { $_->json } $app->wait_requests(5);
    is(scalar @forwarded, 5, 'all were forwarded');

    my $page = $api->get('/events?limit=5');
    my @listed = reverse @{$page->{results}};

    # without any id it has a random one
    like($listed[4]{id}, qr/^[0-9a-f]+$/, 'some id');
    delete $_->[4]{id} for \@listed, \@forwarded;

    is_deeply($listed[$_], $forwarded[$_], "event $_ as it was forwarded")
        or diag explain [$listed[$_], $forwarded[$_]] for 0 .. 4;

    is($listed[0]{webhookid}, 'msg_1', 'webhookid');
    is($listed[0]{data}{reference}, $reference, 'reference');
    is($listed[2]{data}{stale}, JSON::PP::true, 'stale');

    # byte for byte, the payload last
    my $text = $api->request('GET', '/events?limit=5')->body;
    isnt(index($text, qq("payload":$_}})), -1, 'the payload as received')
        for @bodies;

    my $types = sub {
        my ($rows) = $api->list("/events?$_[0]");
        return join(' ', map { $_->{data}{eventType} } @$rows);
    };
    my $filter = "limit=2&companyId=$companies[1]";

    is($types->("$filter&eventType=connection.*") =~ s/^((\S+ ?){2}).*/$1/r,
       'connection.disconnected connection.connected ', 'a pattern');
    like($types->("$filter&eventType=*.WRITE.*,connection.connected"),
         qr/^connection\.connected( (connection\.connected|invoices\.write\.\w+))+$/,
         'several patterns');
    is($types->('eventType=unknown'), 'unknown', 'unknown');
    is($types->('eventType=company'), '', 'not a part');
    is($types->('companyId=' . uuid()), '', 'no such company');

    my ($all) = $api->list('/events?limit=1000');
    my ($pages) = $api->list('/events?limit=9');
    is_deeply($pages, $all, 'pages of 9');
    is(scalar @$all, $api->get('/')->{events}{listed}, 'all');
};


subtest 'duplicates and refused webhooks are not listed' => sub {
    my $before = $api->get('/')->{events}{listed};
    my $id = 'msg_' . uuid();
    my $body = body('company.created', company => uuid());

    is($api->hook($body, 'webhook-id' => $id)->{result}, $_, $_)
        for 'accepted', 'duplicate';
    is($nginx->request('POST', '/hook', {}, $body)->status, 401, 'refused');

    is($api->get('/')->{events}{listed}, $before + 1, 'one');
};


subtest 'large events, and those that push others out' => sub {
    my $pad = 'x' x 50000;
    for my $n (1 .. 30) {
        $api->hook({ id => "big-$n", eventType => 'a.big.one',
                     payload => { pad => $pad, q => "\"\x{e4}\n" } });
    }
    $api->hook({ id => 'huge', eventType => 'a.huge.one',
                 payload => { pad => $pad x 2 } });

    my $events = $api->get('/')->{events};
    is($events->{unlisted}, 1, 'one was too large');

    my ($all) = $api->list('/events?limit=3');
    my @ids = map { $_->{id} } grep { $_->{data}{eventType} =~ /^a\./ } @$all;
    cmp_ok(scalar @ids, '>', 2, 'large ones are listed');
    is_deeply(\@ids, [map { "big-$_" } reverse 31 - @ids .. 30], 'in order');
    is(length $_->{data}{payload}{payload}{pad}, 50000, 'whole')
        for @$all[0 .. 2];
    cmp_ok(scalar @$all, '<', $events->{listed}, 'old ones are gone');

    my $next = $api->get('/events?limit=2')->{next};
    for my $n (1 .. 40) {
        $api->hook({ id => "more-$n", eventType => 'a.big.one',
                     payload => { pad => $pad } });
    }
    is_deeply($api->get("/events?after=$next"),
              { results => [], next => undef },
              'a cursor whose event is gone leads to the end');
};


subtest 'a company with many connections and datasets' => sub {
    my $company = uuid();
    my @ids = map { uuid() } 1 .. 300;

    for my $id (@ids) {
        $api->hook(body('connection.connected', company => $company,
                        connection => $id));
    }

    $api->hook({ id => uuid(), eventType => 'read.completed',
        payload => { referenceCompany => { id => $company },
            dataTypes => [map { { connectionId => $ids[0], status => 'Complete',
                                  dataType => "type$_" } } 1 .. 1010] } });

    my $response = $api->request('GET', "/companies/$company");
    is($response->header('transfer-encoding'), 'chunked', 'in pieces');
    is($response->header('content-length'), undef, 'of unknown length');

    my $row = $response->json;
    is_deeply([map { $_->{id} } @{$row->{connections}}], [reverse @ids],
              'all connections');
    is(scalar @{$row->{connections}[-1]{datasets}}, 1000, 'datasets');
    is($row->{connections}[-1]{truncated}, JSON::PP::true, 'truncated');
    is_deeply([grep { exists $_->{truncated} } $row, @{$row->{connections}}],
              [$row->{connections}[-1]], 'nothing else is');

    is_deeply($api->get("/connections/$ids[0]"), $row->{connections}[-1],
              'the connection alone');
};


$api->done(except => qr/webhook refused, code: credential_missing/);
done_testing();

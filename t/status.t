# The status API: single rows, the overview, health, and how answers go out

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Status;
use Test::More;

my ($company, $connection, $second, $push) = map { uuid() } 1 .. 4;
my $client = '9b1f6c52-3d0e-4a87-b6a4-71c5e0d2f938';
my %ids = (company => $company, company_name => "Finch \"& Sons\"",
           connection => $connection, push_key => $push);

my $api = CodatTest::Status->new(server => '
    location ^~ /deep/er { codat_status zone=codat; }
    location /moved/ { rewrite ^/moved/(.*)$ /codat/$1 last; }
    location /lost/ { rewrite ^ /x break; codat_status zone=codat; }
    location /guarded/ { codat_status zone=codat;
                         limit_except GET { deny all; } }
    location /ifs/ { if ($arg_limit) { set $x 1; } codat_status zone=codat; }
    location /gzip/ { codat_status zone=codat; gzip on; gzip_min_length 1;
                      gzip_types *; gzip_http_version 1.0; }
');
my $nginx = $api->nginx;

# "2024-05-06T07:08:0N.000Z"
sub on { sprintf('2024-05-06T07:08:%02d.000Z', shift) }

sub event { $api->hook(body(shift, %ids, event_id => uuid(), @_)) }


subtest 'an empty zone' => sub {
    my $all = $api->get('/');

    like($all->{since}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/, 'since');
    delete $all->{since};
    cmp_ok($all->{used} + $all->{free}, '>', 1 << 20, 'memory of rows');
    delete @$all{qw(used free)};

    is_deeply($all, {
        zone => 'codat', size => 2 << 20,
        rows => { map { $_ => 0 } qw(deliveries pushes connections datasets
                                     companies clients) },
        pushes => { Pending => 0, Success => 0, Failed => 0, TimedOut => 0 },
        connections => { PendingAuth => 0, Linked => 0, Unlinked => 0,
                         Deauthorized => 0, Deleted => 0 },
        events => { listed => 0, unlisted => 0 }, lastEvents => {},
        evicted => 0, waiters => 0, clients => [],
    }, 'the overview');

    is_deeply($api->get('/health'), { status => 'ok', zone => 'codat' },
              'health');
    is_deeply($api->get("/$_"), { results => [], next => undef }, $_)
        for qw(pushes connections companies events);
};


subtest 'a push' => sub {
    event('invoices.write.successful', generated => on(20),
          record_id => 'rec-1');

    my $row = $api->get("/pushes/$push");
    my $requested = delete $row->{requestedOn};
    like($requested, qr/^2\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$/, 'requested');

    is_deeply($row, {
        pushOperationKey => $push, status => 'Success',
        final => JSON::PP::true, companyId => $company,
        connectionId => $connection, dataType => 'invoices',
        type => 'Create', recordId => 'rec-1',
        completedOn => on(20), updatedOn => on(20),
    }, 'its members');

    is_deeply($api->get('/pushes/' . uc $push),
              { %$row, requestedOn => $requested }, 'in upper case');

    my $failed = uuid();
    $api->hook({ AlertId => uuid(), CompanyId => $company,
        RuleType => 'PushOperationHasTimedOut', Message => "late \"bill\"\n",
        Data => { dataType => 'bills', pushOperationKey => $failed } });
    my $got = $api->get("/pushes/$failed");
    is_deeply([@$got{qw(status final errorMessage dataType)}],
              ['TimedOut', JSON::PP::true, "late \"bill\"\n", 'bills'],
              'one that timed out') or diag explain $got;
};


subtest 'a connection and its datasets' => sub {
    event('connection.connected', generated => on(30));
    event('connection.disconnected', generated => on(31));
    event('read.completed', generated => on(32), data_type => 'invoices',
          status => 'Complete');
    event('read.completed', generated => on(33), data_type => 'customers',
          status => 'FetchError');

    my $row = $api->get("/connections/$connection");
    my $datasets = delete $row->{datasets};

    is_deeply($row, {
        id => $connection, companyId => $company, status => 'Unlinked',
        previousStatus => 'Linked', changedOn => on(31),
        integrationKey => 'xmpl',
        platformName => 'Example Books', sourceType => 'Accounting',
        changedOn => on(31), updatedOn => on(33),
    }, 'its members') or diag explain $row;

    is_deeply($datasets, [
        { dataType => 'customers', status => 'FetchError',
          updatedOn => on(33) },
        { dataType => 'invoices', status => 'Complete',
          completedOn => on(32), updatedOn => on(32) },
    ], 'datasets, newest first') or diag explain $datasets;
};


subtest 'a company, its connections and their datasets' => sub {
    event('connection.created', generated => on(40), connection => $second);

    my $row = $api->get("/companies/$company");
    my $connections = delete $row->{connections};

    like(delete $row->{updatedOn}, qr/^2\d\d\d-/, 'updatedOn');
    is_deeply($row, { id => $company, name => 'Finch "& Sons"' },
              'its members') or diag explain $row;

    is_deeply([map { $_->{id} } @$connections], [$second, $connection],
              'connections, newest first');
    is_deeply($connections->[0]{datasets}, [], 'one without datasets');
    is_deeply($connections->[1], $api->get("/connections/$connection"),
              'a connection is the same in both places');

    my $alone = uuid();
    event('company.deleted', company => $alone, generated => on(41));
    $row = $api->get("/companies/$alone");
    is_deeply([@$row{qw(id deleted deletedOn connections)}],
              [$alone, JSON::PP::true, on(41), []], 'a deleted one')
        or diag explain $row;
};


subtest 'keys and ids with slashes' => sub {
    my $odd = CodatTest::Status->new;

    $odd->hook(body('invoices.write.successful', push_key => 'a/b/',
                    company => 'co/1', connection => 'health/x'));
    $odd->hook(body('connection.connected', company => 'co/1',
                    connection => 'health/x'));

    is($odd->get('/pushes/a/b/')->{pushOperationKey}, 'a/b/', 'a push');
    is($odd->get('/pushes/a%2Fb%2F')->{status}, 'Success', 'encoded');
    is($odd->get('/pushes/a//b/')->{status}, 'Success', 'as nginx merges');
    is($odd->get('/pushes/a/b/?wait=5')->{status}, 'Success', 'waited for');
    is($odd->get('/connections/health/x')->{status}, 'Linked',
       'a connection');
    is($odd->get('/companies/co/1')->{connections}[0]{id}, 'health/x',
       'a company');
    is($odd->request('GET', "/$_")->status, 404, "$_: another key")
        for 'pushes/a/b', 'pushes/a', 'pushes/b/', 'connections/x';

    $odd->done;
};


subtest 'the overview counts' => sub {
    event('client.rateLimit.reached', client => $client);

    my $all = $api->get('/');
    is_deeply($all->{rows}, { deliveries => 9, pushes => 2, connections => 2,
        datasets => 2, companies => 2, clients => 1 }, 'rows')
        or diag explain $all->{rows};
    is_deeply($all->{pushes}, { Pending => 0, Success => 1, Failed => 0,
        TimedOut => 1 }, 'pushes');
    is_deeply($all->{connections}, { PendingAuth => 1, Linked => 0,
        Unlinked => 1, Deauthorized => 0, Deleted => 0 }, 'connections')
        or diag explain $all->{connections};
    is_deeply($all->{events}, { listed => 9, unlisted => 0 }, 'events');
    like($all->{lastEvents}{$_}, qr/^20/, "last $_")
        for 'invoices.write.successful', 'bills.write.unsuccessful',
            'connection.disconnected';
    is_deeply([grep { !/^20\d\d-.*:\d\d\.000Z$/ }
               values %{$all->{lastEvents}}], [], 'times of last events');
    cmp_ok($all->{used}, '>=', 18 * 64, 'memory used');

    my $one = $all->{clients}[0];
    is(scalar @{$all->{clients}}, 1, 'a client');
    is($one->{rateLimited}, JSON::PP::true, 'it is limited');
    like($one->{rateLimitedUntil}, qr/^\d{4}-/, 'until then');

    event('client.rateLimit.reset', client => $client);
    $one = $api->get('/')->{clients}[0];
    is($one->{rateLimited}, JSON::PP::false, 'not any more');
    is($one->{rateLimitedUntil}, undef, 'no time');
};


subtest 'paths' => sub {
    my $row = $api->get("/pushes/$push");

    for my $path ("/deep/er/pushes/$push", "/moved/pushes/$push",
                  "/codat/%70ushes/$push", "/guarded/pushes/$push",
                  "/ifs/pushes/$push")
    {
        my $response = $nginx->request('GET', $path);
        is($response->status, 200, $path);
        is_deeply($response->json, $row, "$path: the row");
    }

    is($nginx->request('GET', $_)->status, 200, $_)
        for qw(/deep/er /deep/er/ /deep/er/health /ifs/pushes?limit=1);
    is($nginx->request('GET', $_)->status, 404, $_)
        for qw(/deep/erhealth /lost/health /lost/pushes);

    my $response = $nginx->request('GET', '/codat');
    is($response->status, 301, 'without the slash');
    like($response->header('location'), qr{/codat/$}, 'leads there');

    is($nginx->request('DELETE', "/guarded/pushes/$push")->status, 403,
       'limit_except');
    is($nginx->request('GET', "/codat/pushes/$push")->status, 200,
       'nothing was deleted');
};


subtest 'HEAD' => sub {
    for my $path ('/', '/health', '/pushes', '/events', "/pushes/$push",
                  "/connections/$connection", "/companies/$company")
    {
        my $get = $api->request('GET', $path);
        my $head = $api->request('HEAD', $path);

        is($head->status, 200, "$path: status");
        is($head->body, '', "$path: no body");
        is($head->header('content-length'), length $get->body,
           "$path: length");
        is(join("\n", sort grep { !/^Date:/ } split(/\r\n/, $head->head)),
           join("\n", sort grep { !/^Date:/ } split(/\r\n/, $get->head)),
           "$path: the same headers");
    }
};


subtest 'HTTP/1.0, gzip, conditions' => sub {
    my $want = $api->request('GET', "/connections/$connection")->body;

    my $client = $nginx->client;
    my $response = $client->request('GET', "/codat/connections/$connection",
                                    {}, undef, version => '1.0');
    is($response->body, $want, 'HTTP/1.0');
    is($response->header('content-length'), length $want, 'its length');
    ok($client->closed, 'closed');

    $response = $nginx->request('GET', "/codat/connections/$connection",
        { 'If-Modified-Since' => 'Sun, 22 Nov 2093 05:00:00 GMT',
          'If-None-Match' => '*', 'If-Match' => '"x"', Range => 'bytes=0-3' });
    is($response->status, 200, 'conditions and ranges are not for us');
    is($response->body, $want, 'all of it');

    SKIP: {
        skip('no IO::Uncompress::Gunzip', 2)
            if !eval { require IO::Uncompress::Gunzip };
        $response = $nginx->request('GET', "/gzip/connections/$connection",
                                    { 'Accept-Encoding' => 'gzip' });
        is($response->header('content-encoding'), 'gzip', 'gzip');
        IO::Uncompress::Gunzip::gunzip(\$response->body => \my $text);
        is($text, $want, 'unpacked');
    }
};


subtest 'a body where none is wanted' => sub {
    my $client = $nginx->client;

    for my $opt ([], [chunked => 7], [expect => 1]) {
        my $response = $client->request('GET', '/codat/health', {},
                                        'x' x 3000, @$opt)
            // die $client->error;
        is($response->status, 200, "GET with a body @$opt");
        last if ($opt->[0] // '') eq 'expect';
        is($client->request('GET', '/codat/health')->status, 200,
           'the next request');
    }
};


subtest 'what is not lost' => sub {
    my $row = $api->get("/pushes/$push");
    ok($nginx->reload, 'reload');
    $api->{client} = $nginx->client;
    is_deeply($api->get("/pushes/$push"), $row, 'the row is still there');
};


$api->done(except => qr/forbidden by rule/);
done_testing();

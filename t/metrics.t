# The page of metrics: that it is one, and that what happens is in it.

use strict;
use warnings;

use lib 't/lib';

use Test::More;
use Time::HiRes qw(sleep time);

use CodatTest;
use CodatTest::Metrics;

my $top = CodatTest::top();
my $secret = new_secret();

my $app = CodatTest::Upstream->new(handler => sub {
    my ($status, $delay) = $_[0]{uri} =~ m{^/(\d\d\d)(?:/([\d.]+))?};
    return { abort => 1 } if $status eq '000';
    return { status => $status, delay => $delay // 0 };
});

my $application = "location /app/ { internal;
                                    proxy_pass http://@{[$app->address]}/; }
                   location /down { internal; proxy_pass http://127.0.0.1:1; }
                   location /late { internal; proxy_read_timeout 100ms;
                                proxy_pass http://@{[$app->address]}/200/2; }
                   location /none { internal; return 502; }
                   location /codat/ { codat_status zone=codat; }\n";

my %auth = (Authorization => 'Bearer sesame',
            'Content-Type' => 'application/json');
my $id = 0;
my %labels;     # metric => "a b": labels that pages had, but for "zone"


sub start {
    my ($server, %opt) = @_;

    return CodatTest::Nginx->new(conf => {
        http => "codat_zone zone=codat:1m; codat_log_level info;\n"
            . 'codat_credential bearer sesame; ' . ($opt{http} // ''),
        server => $application . $server,
    }, level => 'info', %opt)->start;
}


# post($nginx, $uri, $body, %headers): each a message of its own; a header that
# is undef is not sent

sub post {
    my ($nginx, $uri, $body, %headers) = @_;

    my %all = (%auth, 'webhook-id' => 'm' . ++$id, %headers);
    my $response = $nginx->request('POST', $uri,
        { map { $_ => $all{$_} } grep { defined $all{$_} } keys %all },
        $body);

    return $response ? $response->status : 'none';
}


# page($nginx): the page, which is a good one

sub page {
    my ($nginx, $uri) = @_;

    my $response = $nginx->request('GET', $uri // '/codat/metrics');
    my $page = CodatTest::Metrics->new($response->body);

    is($response->status, 200, 'a page');
    is_deeply($page->errors, [], 'nothing wrong with it');

    for my $name (keys %{$page->types}) {
        my $series = "$name" . ($page->types->{$name} eq 'histogram'
                                ? '_sum' : '');
        my @names = grep { $_ ne 'zone' } $page->labels($series);
        $labels{$name} = "@names" if $page->series($series);
    }

    return $page;
}


sub finish {
    my ($nginx, %opt) = @_;

    ok($nginx->stop, 'nginx ends in time');
    no_bad_log($nginx, %opt);
}


# [name, type, help]

my @catalogue = do {
    open(my $fh, '<',
         "$top/ngx_http_codat_module/ngx_codat_counters_x.h") or die $!;
    local $/;
    my $text = <$fh>;
    my @all;
    push @all, [$1, $2, $3]
        while $text =~ /^X\(\w+,\s*"(\w+)",\s*(\w+),\s*"(.*?)"\)/mg;
    @all;
};


subtest 'a zone in which nothing has happened' => sub {
    my $nginx = start('location /hook { codat_webhook zone=codat;
                                        codat_forward * /app/200; }');
    my $before = time;
    my $response = $nginx->request('GET', '/codat/metrics');
    my $page = page($nginx);

    is($response->header('content-type'),
       'text/plain; version=0.0.4; charset=utf-8', 'media type');
    cmp_ok(scalar @catalogue, '>=', 20, 'the catalogue was read');
    my @plain = grep { $_->[0] !~ /^codat_(?:store_|consumer)/ } @catalogue;
    is_deeply($page->types, { map { $_->[0] => $_->[1] } @plain },
              'all metrics and types of the catalogue, but of stores and consumers');
    is_deeply($page->help, { map { $_->[0] => $_->[2] } @plain },
              'and their help');

    my @zones = map { $_->{labels}{zone} // '' }
        map { $page->series($_) } keys %{$page->{of}};
    is_deeply([grep { $_ ne 'codat' } @zones], [], 'every line has the zone');

    is_deeply([map { "$_->{labels}{type} $_->{value}" }
               $page->series('codat_events_total')], [], 'no events');
    is_deeply([grep { $_->{value} } map { $page->series($_) }
               grep { /_total$/ } keys %{$page->types}], [],
              'all that is counted is 0');
    is($page->value('codat_refused_webhooks_total',
                    code => 'signature_mismatch'), 0, 'but it is there');
    is($page->value('codat_forwards_total', target => '/app/200',
                    outcome => 'success'), 0, 'forwards too');

    my $head = $nginx->request('HEAD', '/codat/metrics');
    is($head->status, 200, 'HEAD');
    is($head->header('content-length'), length $response->body, 'as long');
    is($nginx->request('POST', '/codat/metrics')->status, 405, 'POST');
    is($nginx->request('GET', '/codat/metrics/x')->status, 404, 'below it');

    is($page->value('codat_zone_size_bytes'), 1024 * 1024, 'size');
    is($page->value('codat_zone_used_bytes'), 0, 'used');
    cmp_ok($page->value('codat_zone_free_bytes'), '>', 500_000, 'free');
    cmp_ok(abs($page->value('codat_zone_created_timestamp_seconds')
               - $before), '<', 10, 'born');
    is($page->value('codat_module_info',
                    nginx => $nginx->_version =~ m{nginx/([\d.]+)}), 1,
       'versions');
    like(($page->series('codat_module_info'))[0]{labels}{version},
         qr/^\d+\.\d+\.\d+$/, 'of the module too');

  SKIP: {
        my $promtool = `sh -c 'command -v promtool' 2>/dev/null`;
        chomp $promtool;
        skip 'no promtool', 1 if $promtool eq '';

        my $path = $nginx->file('page', $response->body);
        is(`$promtool check metrics < $path 2>&1`, '', 'promtool');
    }

    finish($nginx);
};


subtest 'events and refusals' => sub {
    my $nginx = start(<<"EOC");
    location = /hook { codat_webhook zone=codat; client_max_body_size 2k;
                       codat_client mine; }
    location = /signed { codat_webhook zone=codat;
                         codat_credential signature $secret; }
    location = /basic { codat_webhook zone=codat;
                        codat_credential basic codat:x; }
    location = /header { codat_webhook zone=codat;
                         codat_credential header X-Key x; }
    location = /both { codat_webhook zone=codat; codat_satisfy any;
                       codat_credential basic codat:x;
                       codat_credential bearer sesame; }
EOC
    my $push = body('invoices.write.successful');
    my $rule = body('DataSyncCompleted', client => 'mine');

    my $before = int(time);
    is(post($nginx, '/hook', $push, 'webhook-id' => 'same'), 200, 'a push');
    is(post($nginx, '/hook', $push, 'webhook-id' => 'same'), 200, 'again');
    is(post($nginx, '/hook', body('bills.write.successful')), 200, 'a bill');
    is(post($nginx, '/hook', qq({"eventType":"$_.write.unsuccessful"})), 200,
       $_) for 'taxRates', 'widgets';
    is(post($nginx, '/hook', <<'EOB'), 200, 'a push of nothing known');
{"RuleType":"PushOperationStatusChanged","Data":{"status":"Pending"}}
EOB
    is(post($nginx, '/hook', $rule), 200, 'a legacy one');
    is(post($nginx, '/hook', $rule =~ s/mine/other/r), 403, 'of another');
    is(post($nginx, '/hook', qq({"eventType":"odd.$_"})), 200, "odd $_")
        for 1 .. 30;
    my $after = int(time);

    is(post($nginx, '/hook', '{'), 400, 'half an event');
    is(post($nginx, '/hook', '[]'), 400, 'none');
    is(post($nginx, '/hook', 'x' x 3000), 413, 'too large');
    is(post($nginx, '/hook', $push, 'Content-Type' => 'text/plain'), 415,
       'not JSON');
    is($nginx->request('GET', '/hook', \%auth)->status, 405, 'GET');

    is(post($nginx, '/hook', $push, Authorization => 'Bearer x'), 401,
       'bearer');
    is(post($nginx, '/hook', $push, Authorization => undef), 401, 'none');
    is(post($nginx, '/basic', $push, Authorization => basic('a', 'b')), 401,
       'basic');
    is(post($nginx, '/header', $push), 401, 'header');
    is(post($nginx, '/header', $push, 'X-Key' => 'y'), 401, 'header') for 1, 2;
    is(post($nginx, '/both', $push, Authorization => undef), 401, 'both');
    is(post($nginx, '/signed', $push), 401, 'not signed');
    is($nginx->request('POST', '/signed', signed_headers($_->[0], $push,
        offset => $_->[1]), $push)->status, $_->[2], 'signed')
        for [$secret, 0, 200], [$secret, -999, 401], [new_secret(), 0, 401];

    my $page = page($nginx);
    my %events = map {
        join(' ', @{$_->{labels}}{qw(type generation result)}) => $_->{value}
    } $page->series('codat_events_total');
    is_deeply(\%events, {
        'invoices.write.successful current accepted' => 2,
        'invoices.write.successful current duplicate' => 1,
        'bills.write.successful current accepted' => 1,
        'unknown.write.pending legacy accepted' => 1,
        '*.write.unsuccessful current accepted' => 2,
        'read.completed legacy accepted' => 1,
        'read.completed legacy refused' => 1,
        'other current accepted' => 30,
    }, 'events by type, generation and result');

    my %last = map { $_->{labels}{type} => $_->{value} }
        $page->series('codat_last_event_timestamp_seconds');
    is_deeply([sort keys %last],
              ['*.write.unsuccessful', 'bills.write.successful',
               'invoices.write.successful', 'other', 'read.completed',
               'unknown.write.pending'], 'types that were seen');
    cmp_ok($last{other}, '>=', $before - 1, 'when at the earliest');
    cmp_ok($last{other}, '<=', $after + 1, 'and at the latest');

    my %refused = map { $_->{labels}{code} => $_->{value} }
        grep { $_->{value} } $page->series('codat_refused_webhooks_total');
    is_deeply(\%refused, {
        client_not_allowed => 1, malformed_json => 1, unrecognised_event => 1,
        body_too_large => 1, unsupported_media_type => 1,
        method_not_allowed => 1, credential_mismatch => 4,
        credential_missing => 3, signature_missing => 1,
        timestamp_out_of_tolerance => 1, signature_mismatch => 1,
    }, 'refused, by code');

    my %failed = map { join(' ', @{$_->{labels}}{qw(code kind)})
                       => $_->{value} }
        grep { $_->{value} } $page->series('codat_credential_failures_total');
    is_deeply(\%failed, {
        'credential_mismatch bearer' => 1, 'credential_missing bearer' => 1,
        'credential_mismatch basic' => 1, 'credential_missing header' => 1,
        'credential_mismatch header' => 2, 'credential_missing several' => 1,
        'signature_missing signature' => 1,
        'timestamp_out_of_tolerance signature' => 1,
        'signature_mismatch signature' => 1,
    }, 'credentials, by code and kind');

    is($page->value('codat_uncounted_total'), 0, 'all was counted');
    finish($nginx);
};


subtest 'forwards' => sub {
    my $nginx = start(<<'EOC' =~ s/<ff>/\xff/r,
    location /hook {
        codat_webhook zone=codat; codat_forward_timeout 400ms;
        codat_forward *.write.* /app/200;
        codat_forward *.write.* /app/$arg_to;
        codat_forward *.write.* /down optional;
        codat_forward company.* /late;
        codat_forward company.* /late;
        codat_forward client.*  /none;
        codat_forward read.*    /app/000;
        codat_forward connection.* "/app/200?a=\"quoted\"&b=\\&c=ü";
        codat_forward connection.* "/app/200?d=a\nb&e=<ff>\"" optional;
    }
    location /other { codat_webhook zone=second; codat_forward * /app/204; }
    location /second/ { codat_status zone=second; }
EOC
        http => 'codat_zone zone=second:1m;');
    my $push = body('invoices.write.successful');

    is(post($nginx, '/hook?to=201', $push), 200, 'a good one');
    is(post($nginx, "/hook?to=$_", $push), 502, "status $_")
        for 404, 409, 500, 307;
    is(post($nginx, '/hook?to=..', $push), 502, 'a bad path');
    is(post($nginx, '/hook?to=200/1', $push), 504, 'a slow one');
    is(post($nginx, '/hook?to=500', $push, 'webhook-id' => 'one'), 502,
       'one fails');
    is(post($nginx, '/hook?to=200', $push, 'webhook-id' => 'one'), 200,
       'and then does not');
    is(post($nginx, '/hook', body('company.created')), 502, 'late');
    is(post($nginx, '/hook', body('client.rateLimit.reset')), 502, 'a page');
    is(post($nginx, '/hook', body('read.completed')), 502, 'cut off');
    is(post($nginx, '/hook', body('connection.connected')), 200, 'odd names');
    is(post($nginx, '/other', $push), 200, 'of another zone');

    $nginx->wait_idle(5);

    my $page = page($nginx);
    my (%outcome, %took, %sum);
    for my $series ($page->series('codat_forwards_total')) {
        my $labels = $series->{labels};
        is("$labels->{server} $labels->{location}", 'localhost /hook',
           'server and location') if $labels->{outcome} eq 'success';
        $outcome{"$labels->{target} $labels->{outcome}"} = $series->{value}
            if $series->{value};
    }

    is_deeply(\%outcome, {
        '/app/200 success' => 8, '/app/200 skipped' => 1,
        '/app/$arg_to success' => 2, '/app/$arg_to refused_3xx' => 1,
        '/app/$arg_to refused_4xx' => 2, '/app/$arg_to refused_5xx' => 2,
        '/app/$arg_to unsent' => 1, '/app/$arg_to timeout' => 1,
        '/down unreachable' => 9,
        '/late timeout' => 2, '/none unreachable' => 1,
        '/app/000 unreachable' => 1,
        '/app/200?a="quoted"&b=\\&c=ü success' => 1,
        "/app/200?d=a\nb&e=?\" success" => 1,
    }, 'what became of each');

    my $name = 'codat_forward_duration_seconds';
    is($page->value("${name}_count", target => '/app/200'), 8, 'took a time');
    is($page->value("${name}_count", target => '/app/$arg_to'), 8,
       'the slow one too, when it has ended');
    cmp_ok($page->value("${name}_bucket", target => '/app/$arg_to',
                        le => '0.25'),
           '<=', 7, 'of which the slow one is not among the quick');
    is($page->value("${name}_bucket", target => '/app/$arg_to', le => 2.5),
       8, 'one was not');
    my $sum = $page->value("${name}_sum", target => '/app/$arg_to');
    ok($sum >= 1 && $sum < 2.5, "all together: $sum s");

    $page = page($nginx, '/second/metrics');
    is_deeply([map { "@{$_->{labels}}{qw(zone target)}" } grep { $_->{value} }
               $page->series('codat_forwards_total')], ['second /app/204'],
              'the other zone has its own');

    finish($nginx);
};


subtest 'what the zone holds' => sub {
    my $nginx = start('location /hook { codat_webhook zone=codat; }');
    my ($key, $connection) = (uuid(), uuid());
    my $at = sub { sprintf('2026-01-0%dT00:00:00Z', shift) };

    is(post($nginx, '/hook', body(@$_)), 200, $_->[0]) for
        ['connection.connected', generated => $at->(2)],
        ['connection.connected', connection => $connection,
         generated => $at->(3)],
        ['connection.disconnected', connection => $connection,
         generated => $at->(2)],
        ['bills.write.successful', push_key => $key],
        ['bills.write.unsuccessful', push_key => uuid()],
        ['bills.write.unsuccessful', push_key => $key],
        ['read.completed'];

    my $body = body('company.created');
    is(post($nginx, '/hook', $_, 'webhook-id' => 'same'), 200, 'same id')
        for $body, "$body ";

    my $page = page($nginx);
    my %rows = map { $_->{labels}{kind} => $_->{value} }
        $page->series('codat_rows');
    is_deeply([map { $rows{$_} } qw(delivery push connection company)],
              [8, 2, 2, 1], 'rows')
        or diag(explain(\%rows));
    cmp_ok($rows{dataset}, '>', 0, 'datasets');

    my %pushes = map { $_->{labels}{status} => $_->{value} }
        $page->series('codat_pushes');
    is_deeply(\%pushes, { Unknown => 0, Pending => 0, Success => 1,
                          Failed => 1, TimedOut => 0 }, 'pushes');

    my %connections = map { $_->{labels}{status} => $_->{value} }
        $page->series('codat_connections');
    is($connections{Linked}, 2, 'connections');
    is($page->value('codat_waiters'), 0, 'nobody waits');

    is($page->value('codat_stale_events_total'), 1, 'stale events');
    is($page->value('codat_refused_transitions_total'), 1, 'transitions');
    is($page->value('codat_id_conflicts_total'), 1, 'conflicts');
    is($page->value('codat_recent_events_total'), 8, 'recent events');

    my $used = $page->value('codat_zone_used_bytes');
    cmp_ok($used, '>', 14 * 64, "memory in use: $used");
    cmp_ok($used % 64, '==', 0, 'whole cells');

    my @clients = map { $nginx->client } 1 .. 3;
    $_->send($_->build('GET', '/codat/pushes/' . uuid() . '?wait=20'))
        for @clients;
    my $until = time + slow(5);
    sleep(0.02) while time < $until
        && page($nginx)->value('codat_waiters') != 3;
    is(page($nginx)->value('codat_waiters'), 3, 'three wait');
    $_->close for @clients;
    sleep(0.02) while time < $until
        && page($nginx)->value('codat_waiters') != 0;
    is(page($nginx)->value('codat_waiters'), 0, 'and have gone');

    finish($nginx);
};


subtest 'a zone with a store counts what it is told as one without' => sub {
    my $nginx = start('location = /hook   { codat_webhook zone=codat; }
                       location = /stored { codat_webhook zone=stored; }
                       location /stored/  { codat_status zone=stored; }',
                      http => 'codat_zone zone=stored:1m
                                          store=sqlite:{{prefix}}/codat.db;');
    my ($key, $connection) = (uuid(), uuid());
    my $body = body('company.created');
    my @names = map { "codat_$_" } qw(stale_events_total
        refused_transitions_total id_conflicts_total recent_events_total);

    for my $uri ('/hook', '/stored') {
        is(post($nginx, $uri, body(@$_)), 200, "$uri: $_->[0]") for
            ['connection.connected', connection => $connection,
             generated => '2026-01-03T00:00:00Z'],
            ['connection.disconnected', connection => $connection,
             generated => '2026-01-02T00:00:00Z'],
            ['bills.write.successful', push_key => $key],
            ['bills.write.unsuccessful', push_key => $key];

        is(post($nginx, $uri, $_, 'webhook-id' => 'same'), 200, 'same id')
            for $body, "$body ", "$body  ";

        my $page = CodatTest::Metrics->new($nginx->request('GET',
            $uri eq '/hook' ? '/codat/metrics' : '/stored/metrics')->body);
        is_deeply([map { $page->value($_) } @names], [1, 1, 2, 5],
                  "$uri: stale, refused, conflicts, recent");
    }

    finish($nginx);
};


subtest 'a full zone, and more counters than there is room for' => sub {
    my $many = join('', map { "codat_forward * /app/200?$_ optional;\n" }
                    1 .. 60);
    my $nginx = start("location = /hook { codat_webhook zone=tiny; }
                       location = /many { codat_webhook zone=tiny; $many }
                       location /tiny/ { codat_status zone=tiny; }",
                      http => 'codat_zone zone=tiny:32k;
                               keepalive_requests 10000;');
    my $client = $nginx->client;

    for my $n (1 .. 300) {
        my $response = $client->request('POST', '/hook',
            { %auth, 'webhook-id' => "full-$n" },
            body('bills.write.successful', push_key => uuid()));
        is($response->status, 200, "message $n") if $response->status != 200;
    }
    $client->close;

    my $page = page($nginx, '/tiny/metrics');
    cmp_ok($page->value('codat_evicted_rows_total', kind => 'push'), '>', 50,
           'pushes were evicted');
    is($page->value('codat_events_total', result => 'accepted'), 300,
       'and all counted');
    is($page->value('codat_uncounted_total'), 0, 'none was not');

    my $text = body('company.created');
    is(post($nginx, '/many', $text), 200, 'sixty forwards') for 1 .. 3;
    $nginx->wait_idle(10);

    $page = page($nginx, '/tiny/metrics');
    cmp_ok($page->value('codat_uncounted_total'), '>', 0, 'too many');
    is($page->value('codat_events_total',
                    type => 'bills.write.successful'), 300,
       'what was counted before still is');
    is(post($nginx, '/hook', body('bills.write.successful')), 200, 'another');
    is(page($nginx, '/tiny/metrics')->value('codat_events_total',
                                        type => 'bills.write.successful'),
       301, 'and goes on');

    finish($nginx);
};


subtest 'all writes there are' => sub {
    my $nginx = start('location /hook { codat_webhook zone=codat; }
                       location /tiny { codat_webhook zone=tiny; }
                       location /32k/ { codat_status zone=tiny; }',
                      http => 'codat_zone zone=tiny:32k;
                               keepalive_requests 10000;');

    open(my $fh, '<', "$top/ngx_http_codat_module/ngx_codat_names.c")
        or die $!;
    my $code = do { local $/; readline $fh };
    my @types = ($code =~ /^    X\("(\w+)", "\w+"\)/mg, 'unknown');
    is(scalar @types, 19, 'what can be written');

    my @all = map { my $type = $_;
                    map { "$type.write.$_" } qw(pending successful
                                                unsuccessful) } @types, 'odd';
    my $client = $nginx->client;
    my $n = 0;

    for my $uri ('/hook', '/hook', '/tiny') {
        for my $type (@all) {
            my $response = $client->request('POST', $uri,
                { %auth, 'webhook-id' => 'all-' . $n++ },
                qq({"eventType":"$type"}));
            is($response->status, 200, $type) if $response->status != 200;
        }
    }
    $client->close;

    my $page = page($nginx);
    s/^odd\./*./ for @all;
    for my $name ('codat_events_total',
                  'codat_last_event_timestamp_seconds')
    {
        is_deeply([sort map { $_->{labels}{type} } $page->series($name)],
                  [sort @all], "$name: each has a line, no other has");
    }

    is_deeply([grep { $_->{value} != 2 } $page->series('codat_events_total')],
              [], 'and was counted');
    is($page->value('codat_uncounted_total'), 0, 'none was not');

    $page = page($nginx, '/32k/metrics');
    my $counted = @{[$page->series('codat_last_event_timestamp_seconds')]};
    $counted += $_->{value} for $page->series('codat_events_total');
    cmp_ok($counted, '>', 100, 'the smallest zone has room for most');
    cmp_ok($counted + $page->value('codat_uncounted_total'), '>=', 2 * @all,
           'what it has not is counted as such');

    finish($nginx);
};


subtest 'over workers, reloads and kills' => sub {
    my $nginx = start('location /hook { codat_webhook zone=codat;
                                        codat_forward * /app/200; }',
                      workers => 3);
    my $text = body('company.created');

    is(post($nginx, '/hook', $text), 200, 'before') for 1 .. 12;
    my $born = page($nginx)->value('codat_zone_created_timestamp_seconds');

    ok($nginx->reload, 'reloaded');
    is(post($nginx, '/hook', $text), 200, 'after') for 1 .. 12;
    is(page($nginx)->value('codat_events_total'), 24, 'one sum');

    ok($nginx->reload(server => $application
                      . 'location /hook { codat_webhook zone=codat;
                                          codat_forward * /down optional;
                                          codat_forward * /app/200; }'),
       'reloaded with another list of forwards');
    my $page = page($nginx);
    is($page->value('codat_forwards_total', target => '/app/200',
                    outcome => 'success'), 24, 'what is the same goes on');
    is($page->value('codat_forwards_total', target => '/down',
                    outcome => 'unreachable'), 0, 'what is new begins');

    my $accepted = 0;
    my $end = time + slow(2);
    while (time < $end) {
        my @pids = $nginx->pids;
        kill('KILL', $pids[rand @pids]) if @pids && rand() < 0.3;
        $accepted++ if (eval { post($nginx, '/hook', $text) } // '') eq '200';
    }

    my $events;
    for (1 .. 50) {
        $events = eval { CodatTest::Metrics->new($nginx->request('GET',
            '/codat/metrics')->body)->value('codat_events_total',
                                            result => 'accepted') };
        last if defined $events;
        sleep(0.1);
    }

    cmp_ok($events, '>=', 24 + $accepted, 'what was accepted was counted');
    is(page($nginx)->value('codat_zone_created_timestamp_seconds'), $born,
       'it is the same zone');

    finish($nginx, except => qr/exited on signal 9|was locked by/);
};


subtest 'access rules of their own, as in the documentation' => sub {
    open(my $fh, '<', "$top/docs/metrics.md") or die $!;
    my ($text) = do { local $/; <$fh> } =~ /^```nginx server\n(.*?)^```$/ms;
    like($text, qr/allow 10\.0\.2\.0\/24;/, 'the example');

    my $nginx = start($text);
    is($nginx->request('GET', '/metrics')->status, 403, 'another network');
    finish($nginx, except => qr/forbidden by rule/);

    $text =~ s{10\.0\.2\.0/24}{127.0.0.1};
    $nginx = start("$text location = /codat/metrics {
                        rewrite ^ /codat-metrics/metrics last; }
                    location = /open { deny all;
                        rewrite ^ /codat-metrics/metrics last; }");

    page($nginx, $_) for '/metrics', '/metrics?x=1', '/codat/metrics';
    page($nginx, '/open');  # why the rules belong into the internal one

    for my $path ('', qw(/ /metrics /health /pushes /pushes/x),
                  '/../codat-metrics/pushes')
    {
        my $response = $nginx->request('GET', "/codat-metrics$path");
        is($response->status, 404, "/codat-metrics$path");
        is($response->header('content-type'), 'text/html', 'of nginx itself');
    }
    is($nginx->request('GET', "/metrics$_")->status, 404, "/metrics$_")
        for '/', '/x', '/../codat-metrics/';
    is($nginx->request($_, '/metrics', {}, '{}')->status, 405, $_)
        for 'PUT', 'POST';

    finish($nginx);
};


# lists of types, as of gzip_types, know types without parameters

subtest 'compressed as text/plain' => sub {
    my $nginx = start('location /z/ { codat_status zone=codat; gzip on;
                                      gzip_types text/plain; }');
    my $response = $nginx->request('GET', '/z/metrics',
                                   { 'Accept-Encoding' => 'gzip' });

    is($response->header('content-encoding'), 'gzip', 'gzip_types counts');
    is($response->header('content-type'),
       'text/plain; version=0.0.4; charset=utf-8', 'media type');

    finish($nginx);
};


subtest 'labels are those of the documentation' => sub {
    open(my $fh, '<', "$top/docs/metrics.md") or die $!;
    my %row = do { local $/; <$fh> }
        =~ /^\| `(codat_\w+)` \| \w+ \| (.*?) ?\|/mg;
    $_ = join(' ', sort /`(\w+)`/g) for values %row;
    delete @row{grep { /^codat_(?:store_|consumer)/ } keys %row};  # see
                                # t/store_events.t, t/consumers_delivery.t

    is_deeply(\%labels, \%row, 'of every metric');
};


done_testing();

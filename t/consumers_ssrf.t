# Consumers are where whoever has the key says they are.  No URL, no name and
# no answer of theirs leads nginx to an address that is not allowed.
#
# 127.0.0.1 is allowed here, and plays the public; behind 127.0.0.66 there is
# somebody who must never hear anything, on the same port.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Dns;
use CodatTest::Upstream;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);

my ($good, $evil) = ('127.0.0.1', '127.0.0.66');

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $port = $app->port;
my $inner = CodatTest::Upstream->new(host => $evil, port => $port,
                                     answer => { status => 204 });

sub a { return { A => [@_], ttl => 0 } }

my %names = (
    'good.example' => [a($good)],
    'evil.example' => [a($evil)],
    'two.example' => [a($good, $evil)],
    'six.example' => [{ A => [$good], AAAA => ['::1'] }],
    'mapped.example' => [{ AAAA => ["::ffff:$evil"] }],
    'meta.example' => [a('169.254.169.254')],
    'zero.example' => [a('0.0.0.0')],
    'to-evil.example' => [{ CNAME => 'evil.example' }],
    'to-to-evil.example' => [{ CNAME => 'to-evil.example' }],
    'to-good.example' => [{ CNAME => 'good.example' }],
    'loop.example' => [{ CNAME => 'loop.example' }],

    # something else each time that it is asked for

    'rebind.example' => [map { a($_) } ($good, $evil) x 20],
    'rebind2.example' => [map { a($_) } ($good, $evil) x 20],

    # the first answer of the chain has expired when the second one comes

    'slow.example' => [{ CNAME => 'later.example', ttl => 0 },
                       { CNAME => 'evil.example', ttl => 0 }],
    'later.example' => [{ A => [$good], ttl => 60, delay => 2.5 }],
    'slow2.example' => [{ CNAME => 'later2.example', ttl => 0 }],
    'later2.example' => [{ A => [$good], ttl => 60, delay => 2.5 }],

    # asked for longer than an attempt may take

    'hang.example' => [{ A => [$good], delay => 5 }],
    'slow3.example' => [{ CNAME => 'later3.example', ttl => 0 },
                        { CNAME => 'evil.example', ttl => 0, delay => 5 }],
    'later3.example' => [{ A => [$good], ttl => 60, delay => 2.5 }],

    'backend.example' => [a($good)],
);

my $dns = CodatTest::Dns->new(names => \%names);
my $resolver = 'resolver ' . $dns->address . '; resolver_timeout 60s;';

my $t = consumers(
    allow => "*,*:$port,http://*,http://*:$port,$good,"
             . 'http://named.example',
    http => "codat_retry 1s 1s; codat_forward_timeout 60s;
             upstream backend.example { server $evil:$port; }
             upstream named.example { server $good:$port; }",
    out => "$resolver proxy_pass \$codat_consumer_url;",
    server => "location /inner/ {
                   internal; proxy_pass http://$evil:$port; }
               location \@inner { proxy_pass http://$evil:$port; }",
);
my $nginx = $t->nginx;
my $db = $nginx->prefix . '/codat.db';


# consumers(allow, http, server, out): as CodatTest::Consumers->new() has it,
# but for the resolver, which is the test's

sub consumers {
    my %opt = @_;

    my $made = bless { nginx => CodatTest::Nginx->new(level => 'info',
        workers => 2, conf => { http => <<"EOH", server => <<"EOS" })->start
        codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;
        codat_credential bearer sesame;
        $opt{http}
EOH
        location = /hook { codat_webhook zone=codat; }
        location /hooks/ {
            codat_consumers zone=codat deliver=\@out allow=$opt{allow};
            location = /hooks/webhooks/integrationKeys/zapier {
                codat_consumers zone=codat;
            }
        }
        location \@out { $opt{out} }
        @{[$opt{server} // '']}
EOS
    }, 'CodatTest::Consumers';

    $made->rotate;

    return $made;
}


sub sql {
    my @lines = qx(sqlite3 -cmd '.timeout 5000' "$db" "$_[0]" 2>&1);
    chomp @lines;

    return join('|', @lines);
}


# a consumer whose URL the API does not let through is put into the table

sub consumer {
    my ($url, %member) = @_;

    my $made = $t->create(url => 'https://hooks.example.com/x', %member);
    is($t->{status}, 201, "a consumer for $url") or return;

    sql("UPDATE consumer SET url = '$url' WHERE uid = '$made->{id}'; "
        . "UPDATE meta SET value = value + 1 WHERE key = 'consumer_version'");

    return $made->{id};
}


# deliver($url): what has become of the first attempts to tell it

sub deliver {
    my ($url, %opt) = @_;

    my $id = consumer($url);
    $_->reset for $app, $inner;

    is($t->event(body('connection.connected')), 200, 'an event');

    my $row;
    my $until = time + slow(15);
    my $tries = $opt{tries} // 1;

    while (time < $until) {
        $row = sql("SELECT d.state, d.attempts, coalesce(d.last_error, '')
            FROM consumer_delivery d JOIN consumer c ON c.id = d.consumer
            WHERE c.uid = '$id'");
        my ($state, $attempts) = split(/\|/, $row);
        last if ($state // '') =~ /^(?:delivered|dead)$/
            || ($attempts // 0) >= $tries;
        sleep(0.05);
    }

    $t->call(DELETE => "webhooks/$id");
    is($t->{status}, 204, 'the consumer is removed');

    return (split(/\|/, $row, 3));
}


sub delivered {
    my ($url, $name, %opt) = @_;

    subtest "$name: delivered" => sub {
        my ($state, undef, $error) = deliver($url, tries => 2, %opt);
        is($state, 'delivered', 'it is told') or diag($error);
        is(scalar(my @got = $app->requests), 1, 'once');
        is(scalar(my @none = $inner->requests), 0, 'nobody else');
    };
}


sub refused {
    my ($url, $why, $name, %opt) = @_;

    subtest "$name: refused" => sub {
        my ($state, undef, $error) = deliver($url, %opt);
        isnt($state, 'delivered', 'it is not told');
        like($error, $why, 'the reason is kept');
        is(scalar(my @got = $app->requests), $opt{told} // 0,
           'requests to what is allowed');
        is(scalar(my @none = $inner->requests), 0, 'and none inside');
    };
}


my $at = ":$port/x";

subtest 'URLs that the API refuses' => sub {
    for my $case (
        ['http://127.0.0.66/', qr/an address/],
        ["https://127.0.0.66:$port/", qr/an address/],
        ['https://10.0.0.1/', qr/an address/],
        ['https://169.254.169.254/latest/meta-data/', qr/an address/],
        ['https://[::1]/', qr/an address/],
        ['https://[fd00:ec2::254]/', qr/an address/],
        ['https://[::ffff:127.0.0.66]/', qr/an address/],
        ['https://2130706499/', qr/four decimal/],
        ['https://0x7f000042/', qr/four decimal/],
        ['https://0177.0.0.102/', qr/four decimal/],
        ['https://127.66/', qr/four decimal/],
        ['https://127.0.0.066/', qr/four decimal/],
        ['https://user@good.example/', qr/user name/],
        ['https://good.example@127.0.0.66/', qr/user name/],
        ['https://good.example:22/', qr/port/],
        ['https://good.example:0443/', qr/port/],
        ['https://localhost/', qr/dot/],
        ['https://good.example./', qr/empty label/],
        ['https://good.example\\@127.0.0.66/', qr/not allowed in URLs/],
        ["https://good.example/\r\nHost: x", qr/not allowed in URLs/],
        ['https://good.example/#x', qr/fragment/],
        ['ftp://good.example/', qr/https/],
        ['file:///etc/passwd', qr/https/],
        ['https://unix:443/tmp/socket', qr/socket/],
        ['//good.example/', qr/https/],
        ['https://' . 'a' x 64 . '.example/', qr/too long/],
        ['https://good.example/' . 'a' x 2048, qr/2048/],
        ['http://backend.example/', qr/upstream/],
        ["http://BACKEND.example/", qr/upstream/],
    ) {
        my ($url, $why) = @$case;
        my $said = $t->create(url => $url);
        is($t->{status}, 400, "$url: 400");
        like($said->{error}, $why, 'why');
    }

    for my $url ('https://good.example/', "https://good.example:$port/",
                 'http://good.example/', 'http://named.example/',
                 'https://127.0.0.1/', "https://1.2.3.4.example/?a=b") {
        my $made = $t->create(url => $url);
        is($t->{status}, 201, "$url: 201");
        $t->call(DELETE => "webhooks/$made->{id}");
    }
};

delivered("http://good.example$at", 'a public address');
delivered("http://to-good.example$at", 'a CNAME to one');
delivered("http://127.0.0.1$at", 'an address that is allowed');
delivered('http://named.example/x', 'an upstream that is allowed by name');

refused("http://evil.example$at", qr/^has a host at 127\.0\.0\.66, a loopback/,
        'a private address');
refused("http://two.example$at", qr/has a host at 127\.0\.0\.66/,
        'one of two addresses');
refused("http://six.example$at", qr/has a host at ::1, a loopback/,
        'a private IPv6 address beside a public one');
refused("http://mapped.example$at", qr/has a host at ::ffff:127\.0\.0\.66/,
        'IPv4 mapped into IPv6');
refused("http://meta.example$at", qr/has a host at 169\.254\.169\.254, a link-local/,
        'metadata');
refused("http://zero.example$at", qr/has a host at 0\.0\.0\.0/, '0.0.0.0');
refused("http://to-evil.example$at", qr/has a host at 127\.0\.0\.66/,
        'a CNAME to a private one');
refused("http://to-to-evil.example$at", qr/has a host at 127\.0\.0\.66/,
        'two of them');
refused("http://loop.example$at", qr/can't be resolved/, 'a loop');
refused("http://none.example$at", qr/can't be resolved \(3: Host not found\)/,
        'a name that nobody has');

# the rows have changed, or what is allowed has

refused("http://127.0.0.66$at", qr/an address/, 'a literal, in a row');
refused("http://backend.example/x", qr/upstream/, 'an upstream, in a row');
refused("http://good.example:1/x", qr/port|https/, 'a port, in a row');
refused("http://u\@good.example$at", qr/user name/, 'a user, in a row');

subtest 'rebinding' => sub {
    delivered("http://rebind.example$at", 'TTL 0');
    is($dns->questions('rebind.example'), 1, 'one question');

    # nginx takes a TTL of 0 for the rest of the second
    sleep(1.1);
    refused("http://rebind.example$at", qr/has a host at 127\.0\.0\.66/,
            'the next answer');
    is($dns->questions('rebind.example'), 2, 'one question more');
};

subtest 'a chain that has expired in the meantime' => sub {
    refused("http://slow.example$at", qr/has a host at 127\.0\.0\.66/,
            'it leads elsewhere the second time');
    is($dns->questions('slow.example'), 2, 'it was asked for twice');
    delivered("http://slow2.example$at", 'it leads there again');
    is($dns->questions('slow2.example'), 2, 'it was asked for twice');
};

subtest 'answers lead nowhere' => sub {
    for my $answer (
        { status => 302, headers => [[Location => "http://$evil$at"]] },
        { status => 307, headers => [[Location => "http://$evil$at"]] },
        { status => 200, headers => [['X-Accel-Redirect' => '/inner/x']] },
        { status => 200, headers => [['X-Accel-Redirect' => '@inner']] },
    ) {
        $app->answer(%$answer);
        my ($header) = map { "$_->[0]: $_->[1]" } @{$answer->{headers}};
        my ($state) = deliver("http://good.example$at");
        is($state, $answer->{status} == 200 ? 'delivered' : 'pending',
           "$answer->{status}, $header");
        is(scalar(my @got = $app->requests), 1, 'one request');
        is(scalar(my @none = $inner->requests), 0, 'none inside');
    }

    $app->answer(status => 204);
};

ok($nginx->stop, 'nginx stops');
no_bad_log($nginx);


subtest 'what comes before the proxy takes time' => sub {
    $t = consumers(
        allow => "*,http://*:$port,$good",
        http => 'codat_retry 1s 1s; codat_forward_timeout 60s;
                 limit_req_zone $server_name zone=slow:1m rate=15r/m;',
        out => "$resolver limit_req zone=slow burst=9;
                proxy_pass \$codat_consumer_url;");
    $nginx = $t->nginx;
    $db = $nginx->prefix . '/codat.db';

    delivered("http://good.example$at", 'the first one, at once');
    my $before = time;
    delivered("http://rebind2.example$at", 'limit_req');
    cmp_ok(time - $before, '>', 1, 'it had to wait');
    is($dns->questions('rebind2.example'), 1, 'one question');
    refused("http://rebind2.example$at", qr/has a host at 127\.0\.0\.66/,
            'limit_req, the next answer');

    ok($nginx->stop, 'nginx stops');
    no_bad_log($nginx);
};


subtest 'the time is up while a name is asked for' => sub {
    $t = consumers(
        allow => "*,http://*:$port,$good",
        http => 'codat_retry 1h; codat_forward_timeout 3500ms;',
        out => 'resolver ' . $dns->address . '; resolver_timeout 60s;
                proxy_pass $codat_consumer_url;');
    $nginx = $t->nginx;
    $db = $nginx->prefix . '/codat.db';

    my $answered = time + 13;
    refused("http://hang.example$at", qr/not answered within/, 'once');
    refused("http://slow3.example$at", qr/not answered within/, 'again');

    # the answers come to nobody

    sleep($answered - time) if $answered > time;
    delivered("http://good.example$at", 'afterwards, somebody else');

    ok($nginx->stop, 'nginx stops');
    no_bad_log($nginx);
};


subtest 'without a resolver' => sub {
    $t = consumers(allow => "*,http://*:$port,$good",
        http => 'codat_retry 1s 1s;',
        out => "# no resolver\nproxy_pass \$codat_consumer_url;");
    $nginx = $t->nginx;
    $db = $nginx->prefix . '/codat.db';

    refused("http://good.example$at", qr/has no resolver/, 'a name');
    delivered("http://127.0.0.1$at", 'an address');

    ok($nginx->stop, 'nginx stops');
    no_bad_log($nginx);
};

done_testing();

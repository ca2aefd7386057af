# What went wrong once, each with what it looked like then.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use IO::Select ();
use IO::Socket::INET ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time sleep);


my $credential = 'codat_zone zone=codat:1m; codat_credential bearer sesame;';
my $event = body('bills.write.successful', event_id => 'evt');
my $number = 0;


# deliver($nginx, $path, id => , body => , port => , headers => {...}): the
# response; fails at once when there is none

sub deliver {
    my ($nginx, $path, %opt) = @_;

    my %headers = (Authorization => 'Bearer sesame',
                   'Content-Type' => 'application/json',
                   'webhook-id' => $opt{id} // 'msg-' . ++$number,
                   %{$opt{headers} // {}});
    my $client = $nginx->client(port => $opt{port} // $nginx->port);

    return $client->request('POST', $path, \%headers,
                            $opt{body} // $event,
                            close => 1, timeout => 8)
        // die 'no answer: ', $client->error, "\n";
}


# "200 accepted", "503 in_progress", ...

sub result {
    my $response = deliver(@_);
    my $json = eval { $response->json } // {};

    return $response->status . ' '
        . ($json->{result} // $json->{code} // $response->body);
}


# until it is no longer "in progress"

sub settle {
    my $until = time + slow(10);

    while (1) {
        my $result = result(@_);
        return $result if $result ne '503 in_progress' || time > $until;
        sleep(0.05);
    }
}


sub ends_well {
    my ($nginx, %opt) = @_;

    ok($nginx->wait_idle(10), 'no connection is left');
    ok($nginx->stop, 'nginx ends in time');
    no_bad_log($nginx, %opt);
}


sub named {
    my $name = shift;

    return '{"id":"e1","eventType":"connection.connected",'
        . '"generatedDate":"2024-01-01T00:00:00Z",'
        . '"payload":{"referenceCompany":{"id":"c","name":"' . $name . '"}}}';
}


# Lengths were taken in one pass over the variables and bytes copied in a
# second one.  A map's capture that changed in between made the text longer
# than its buffer: the worker wrote behind it, and crashed now and then.

subtest 'variables that change each other, in a format and in arguments'
=> sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => <<"EOC",
            $credential
            map \$codat_company_name \$a { ~^(?<part>.)   "x"; }
            map \$codat_company_name \$b { ~^(?<part>.*)\$ "y"; }
            map \$codat_company_name \$c { ~^(?<piece>.)   "x"; }
            map \$codat_company_name \$d { ~^(?<piece>.*)\$ "y"; }
            codat_format f type=text/plain escape=none "\$a\$part\$b";
EOC
        server => <<"EOC",
            location = /format { codat_webhook zone=codat;
                                 codat_forward * /app format=f; }
            location = /args   { codat_webhook zone=codat;
                                 codat_forward * /app?\$c\$piece\$d; }
            location = /both   { codat_webhook zone=codat;
                                 codat_forward * /app?\$c\$piece\$d format=f; }
            location = /app { internal;
                              proxy_pass http://@{[$app->address]}; }
EOC
    })->start;

    my ($worker) = $nginx->pids;
    my $name = 'N' x 300;
    # a value that is longer than that of the first pass, or all of it
    my $text = qr/xN{1,300}y/;

    for my $path (qw(/format /args /both)) {
        $app->reset;
        my @results = map { result($nginx, $path, body => named($name)) }
            1 .. 5;
        is_deeply(\@results, [('200 accepted') x 5], "$path: accepted");

        my @requests = $app->requests;
        is(scalar @requests, 5, "$path: forwarded");
        is(scalar(grep { $_->{body} =~ /^$text$/ } @requests), 5,
           "$path: the format's text is whole") if $path ne '/args';
        is(scalar(grep { $_->{uri} =~ m{^/app\?$text$} } @requests), 5,
           "$path: the arguments are whole") if $path ne '/format';
    }

    is_deeply([$nginx->pids], [$worker], 'the worker is the same');
    ends_well($nginx);
};


# The scope of ids was kept in the location, and was empty in the unnamed one
# of an "if" or "limit_except" block: one server's event was another's
# duplicate, and never reached its application.

subtest 'ids of two servers stay apart in "if" and "limit_except" blocks'
=> sub {
    my $locations = <<'EOC';
        location = /plain  { codat_webhook zone=codat; }
        location = /except { codat_webhook zone=codat;
                             limit_except GET { allow 127.0.0.1; deny all; } }
        location = /if     { codat_webhook zone=codat;
                             if ($http_x_trace) { set $trace 1; } }
EOC
    my $nginx = CodatTest::Nginx->new(conf => { http => <<"EOC" })->start;
        $credential
        server { listen 127.0.0.1:{{port1}}; server_name a.example;
                 $locations }
        server { listen 127.0.0.1:{{port1}}; server_name b.example;
                 $locations }
EOC

    for my $path (qw(/plain /except /if)) {
        for my $host (qw(a.example b.example)) {
            my @webhook = ($nginx, $path, id => 'same',
                port => $nginx->port(1),
                headers => { Host => $host, 'X-Trace' => 1 });

            is(result(@webhook), '200 accepted', "$path of $host");
            is(result(@webhook), '200 duplicate', "$path of $host: a copy");
        }
    }

    ends_well($nginx);
};


# The timer of the delay woke the webhook and not its forward, which stayed
# where it was: 504, then 503 in_progress until the worker's end.

subtest 'limit_req delays a forward' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => <<"EOC",
            $credential
            codat_forward_timeout 5s;
            limit_req_zone \$server_name zone=brisk:32k
                           rate=@{[int(300 / slow(1))]}r/m;
            limit_req_zone \$server_name zone=lame:32k rate=20r/m;
EOC
        server => <<"EOC",
            location = /brisk { codat_webhook zone=codat;
                                codat_forward * /app/brisk; }
            location = /lame  { codat_webhook zone=codat;
                                codat_forward_timeout 300ms;
                                codat_forward * /app/lame; }
            location = /app/brisk { internal; limit_req zone=brisk burst=10;
                proxy_pass http://@{[$app->address]}; }
            location = /app/lame  { internal; limit_req zone=lame burst=10;
                proxy_pass http://@{[$app->address]}; }
EOC
    })->start;

    my $start = time;
    is(result($nginx, '/brisk', id => "brisk-$_"), '200 accepted',
       "event $_ in a row") for 1 .. 3;
    cmp_ok(time - $start, '>', 0.3, 'they were delayed');
    is_deeply([map { $_->header('webhook-id') } $app->requests],
              ['brisk-1', 'brisk-2', 'brisk-3'], 'each was forwarded once');
    like($nginx->error_log, qr/delaying request/, 'limit_req says so');

    $app->reset;
    is(result($nginx, '/lame', id => 'lame-1'), '200 accepted',
       'the first of a slow zone');
    $start = time;
    is(result($nginx, '/lame', id => 'lame-2'), '504 forward_timeout',
       'the delay is longer than codat_forward_timeout');
    cmp_ok(time - $start, '<', slow(2.5), 'which is not waited for');

    ok($nginx->wait_idle(10), 'it ends');
    is($nginx->stub_status->{writing}, 0, 'nothing is being worked on');
    is(settle($nginx, '/lame', id => 'lame-2'), '200 accepted',
       'its retry is not in progress for ever');
    is_deeply([map { $_->header('webhook-id') } $app->requests],
              ['lame-1', 'lame-2'], 'each was forwarded once');

    ends_well($nginx);
};


# The connection of a request without a client had no handler for the timer of
# limit_req: the worker ended with a segmentation fault.

subtest 'limit_req delays a delivery from the queue' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => <<"EOC",
            codat_zone zone=codat:1m store=sqlite:{{prefix}}/codat.db;
            codat_credential bearer sesame;
            limit_req_zone \$server_name zone=brisk:32k rate=120r/m;
EOC
        server => <<"EOC",
            location = /queued { codat_webhook zone=codat;
                                 codat_forward * /app; }
            location = /named  { codat_webhook zone=codat;
                                 codat_forward * \@app; }
            location = /app { internal; limit_req zone=brisk burst=10;
                proxy_pass http://@{[$app->address]}; }
            location \@app  { limit_req zone=brisk burst=10;
                proxy_pass http://@{[$app->address]}; }
EOC
    })->start;

    for my $path ('/queued', '/named') {
        $app->reset;
        is(result($nginx, $path, id => "$path-$_"), '202 queued',
           "$path, event $_") for 1 .. 3;
        is_deeply([sort map { $_->header('webhook-id') }
                   $app->wait_requests(3)],
                  ["$path-1", "$path-2", "$path-3"], 'each came once');
    }

    like($nginx->error_log, qr/delaying request/, 'limit_req says so');

    ends_well($nginx);
};


# A page for browsers, fetched with GET and without the event, counted as the
# application's success: Codat was told 200, and the event was lost.

subtest 'an error page is no acceptance, a named location is' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 503 });
    my $other = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => $credential,
        server => <<"EOC",
            location = /uri   { codat_webhook zone=codat;
                                codat_forward * /app/uri; }
            location = /named { codat_webhook zone=codat;
                                codat_forward * /app/named; }
            proxy_intercept_errors on;
            location = /app/uri   { internal; error_page 503 =200 /page;
                proxy_pass http://@{[$app->address]}; }
            location = /app/named { internal; error_page 503 = \@second;
                proxy_pass http://@{[$app->address]}; }
            location = /page { proxy_pass http://@{[$other->address]}; }
            location \@second { proxy_pass http://@{[$other->address]}; }
EOC
    })->start;

    is(result($nginx, '/uri', id => 'u'), '502 forward_failed', 'a URI');
    is_deeply([map { "$_->{method} $_->{uri}" } $other->requests],
              ['GET /page'], 'the page was fetched');
    is(result($nginx, '/uri', id => 'u'), '502 forward_failed', 'a retry');
    is(scalar $app->requests, 2, 'which the application got');

    $other->reset;
    is(result($nginx, '/named', id => 'n'), '200 accepted',
       'a named location');
    my ($request) = $other->requests;
    is($request->{method}, 'POST', 'it got a POST');
    is(eval { $request->json->{type} }, 'io.codat.bills.write.successful',
       'with the event') or diag($request->{body});
    is(result($nginx, '/named', id => 'n'), '200 duplicate', 'a copy');

    ends_well($nginx);
};


# Likewise the page that X-Accel-Redirect named.

subtest 'X-Accel-Redirect is no acceptance' => sub {
    my $app = CodatTest::Upstream->new(handler => sub {
        return { status => 200, headers => $_[0]{uri} =~ /accel/
                     ? { 'X-Accel-Redirect' => '/page' } : {} };
    });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => $credential,
        server => <<"EOC",
            location = /accel { codat_webhook zone=codat;
                                codat_forward * /app/accel; }
            location = /plain { codat_webhook zone=codat;
                                codat_forward * /app/plain; }
            location /app/ { internal;
                proxy_pass http://@{[$app->address]}; }
            location = /page { internal;
                proxy_pass http://@{[$app->address]}; }
EOC
    })->start;

    is(result($nginx, '/plain', id => 'a'), '200 accepted', 'without it');
    is(result($nginx, '/accel', id => 'a'), '502 forward_failed', 'with it');
    is_deeply([map { "$_->{method} $_->{uri}" } $app->requests],
              ['POST /app/plain', 'POST /app/accel', 'GET /page'],
              'it was followed');
    is(result($nginx, '/accel', id => 'a'), '502 forward_failed', 'a retry');

    ends_well($nginx);
};


# Forwards have variables of their own, and captures of server_name were made
# for the webhook only: the application was asked for "/t-", another tenant's.

subtest 'captures of server_name are there in a forward' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => { http => <<"EOC" })->start;
        $credential
        server {
            listen 127.0.0.1:{{port1}};
            server_name ~^(?<tenant>\\w+)\\.example\$;
            location = /uri   { codat_webhook zone=codat;
                                codat_forward * /app; }
            location = /named { codat_webhook zone=codat;
                                codat_forward * \@app; }
            location = /app { internal;
                proxy_pass http://@{[$app->address]}/t-\$tenant; }
            location \@app {
                proxy_pass http://@{[$app->address]}/n-\$tenant; }
        }
        server { listen 127.0.0.1:{{port1}}; server_name plain.test;
                 return 404; }
EOC

    for my $tenant (qw(acme zenith)) {
        is(result($nginx, $_, port => $nginx->port(1),
                  headers => { Host => "$tenant.example" }),
           '200 accepted', "$_ of $tenant") for qw(/uri /named);
    }
    is_deeply([map { $_->{uri} } $app->requests],
              [qw(/t-acme /n-acme /t-zenith /n-zenith)],
              'what the application was asked for');

    ends_well($nginx);
};


# Those from a queue had none at all, which sent all tenants' events to "/t-",
# and saw $host with the port, and as it was written.

subtest 'captures of server_name, and $host, from a queue' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => { http => <<"EOC" })->start;
        $credential
        codat_zone zone=queue:1m store=sqlite:{{prefix}}/codat.db;
        codat_format short '{"tenant":"\$tenant","host":"\$host"}';
        server {
            listen 127.0.0.1:{{port1}};
            server_name plain.example ~^(?<tenant>\\w+)\\.example\$
                        ~^.(?<tenant>::\\d).\$;
            location = /uri   { codat_webhook zone=queue;
                                codat_forward * /app format=short; }
            location = /named { codat_webhook zone=queue;
                                codat_forward * \@app format=short; }
            location = /app { internal;
                proxy_pass http://@{[$app->address]}/t-\$tenant-\$host; }
            location \@app {
                proxy_pass http://@{[$app->address]}/n-\$tenant-\$host; }
        }
        server { listen 127.0.0.1:{{port1}}; server_name plain.test;
                 return 404; }
EOC

    my %tenant = ('acme.example' => 'acme-acme.example',
                  'Zenith.EXAMPLE:8080' => 'zenith-zenith.example',
                  'nadir.example.:81' => 'nadir-nadir.example',
                  '[::1]:8080' => '::1-[::1]');
    my $n = 0;

    for my $host (sort keys %tenant) {
        my ($tenant, $name) = $tenant{$host} =~ /^(.*)-(.*)$/;

        for my $path (qw(uri named)) {
            my $to = $path eq 'uri' ? 't' : 'n';
            $app->reset;
            is(result($nginx, "/$path", port => $nginx->port(1),
                      id => 'msg_' . ++$n, headers => { Host => $host }),
               '202 queued', "$path of $host");
            my ($request) = $app->wait_requests(1);
            is($request->{uri}, "/$to-$tenant{$host}",
               'what the application was asked for');
            is($request->{body}, qq({"tenant":"$tenant","host":"$name"}),
               'what it got');
        }
    }

    ends_well($nginx);
};


# The length was told to the forward before its last location was found, and
# client_max_body_size of that one refused it: 502, status 413.

subtest 'internal redirects in a forward, and client_max_body_size' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => $credential,
        server => <<"EOC",
            client_body_buffer_size 1k;
            location = /try     { codat_webhook zone=codat;
                                  codat_forward * /t/try format=raw; }
            location = /rewrite { codat_webhook zone=codat;
                                  codat_forward * /t/rewrite format=raw; }
            location = /t/try     { internal; client_max_body_size 10;
                                    try_files /nothing /end; }
            location = /t/rewrite { internal; client_max_body_size 10;
                                    rewrite ^ /end last; }
            location = /end { client_max_body_size 10;
                              proxy_pass http://@{[$app->address]}; }
EOC
    })->start;

    for my $path (qw(/try /rewrite)) {
        for my $size (300, 20_000) {
            $app->reset;
            my $body = named('N' x $size);
            is(result($nginx, $path, body => $body), '200 accepted',
               "$path, $size bytes");
            my ($request) = $app->requests;
            is($request && $request->header('content-length'), length $body,
               "$path, $size bytes: Content-Length");
            ok($request && $request->{body} eq $body,
               "$path, $size bytes: the body");
        }
    }

    my $response = $nginx->request('POST', '/end', {}, 'x' x 11);
    is($response->status, 413, 'the limit holds for clients');

    ends_well($nginx);
};


# The filter for such headers took the module's answer for a file of unknown
# age: an accepted webhook was answered with 412 or 304.

subtest 'conditional headers change no answer' => sub {
    my $app = CodatTest::Upstream->new(answer => { status => 200 });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => $credential,
        server => <<"EOC",
            location = /none { codat_webhook zone=codat; }
            location = /app  { codat_webhook zone=codat;
                               codat_forward * /target; }
            location = /target { internal;
                proxy_pass http://@{[$app->address]}; }
EOC
    })->start;

    for my $header (
        ['If-None-Match', '*'], ['If-None-Match', '"x"'],
        ['If-Match', '"x"'], ['If-Match', '*'],
        ['If-Unmodified-Since', 'Thu, 01 Jan 2015 00:00:00 GMT'],
        ['If-Modified-Since', 'Fri, 01 Jan 2100 00:00:00 GMT'],
    ) {
        my %webhook = (headers => { $header->[0] => $header->[1] });
        for my $path (qw(/none /app)) {
            $webhook{id} = "$path @$header";
            is(result($nginx, $path, %webhook), '200 accepted',
               "@$header, $path");
            is(result($nginx, $path, %webhook), '200 duplicate',
               "@$header, $path: a copy");
        }
        is(result($nginx, '/none', %webhook, body => '['),
           '400 malformed_json', "@$header, a refusal");
    }

    is(scalar $app->requests, 6, 'the application got each once');
    ends_well($nginx);
};


# nginx -t was content, and requests that took the block went to the
# application as they came, unverified.

subtest 'proxy_pass in a block of an endpoint is refused' => sub {
    for (
        ['if', 'if ($http_x_old) { %s }', 'set $x 1;'],
        ['limit_except', 'limit_except GET { %s }', 'allow all;'],
        ['the location itself', '%s', 'client_body_timeout 5s;'],
    ) {
        my ($name, $block, $harmless) = @$_;

        my $check = sub {
            my $inside = sprintf($block, shift);
            return CodatTest::Nginx->new(conf => {
                http => $credential,
                server => "location = /w { codat_webhook zone=codat; $inside }",
            })->check;
        };

        my ($ok, $text) = $check->('proxy_pass http://127.0.0.1:9;');
        ok(!$ok, "$name: refused");
        like($text, qr/\[emerg\].*"codat_webhook" shares its location with/,
             "$name: why");

        ($ok, $text) = $check->($harmless);
        ok($ok, "$name: other directives are fine") or diag($text);
    }
};


# The core took the connection's error for the end of the whole webhook with
# the first forward that ended: the other one was cut, and sent again later.

subtest 'an HTTP/2 client leaves while two forwards run' => sub {
    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my $version = `$binary -V 2>&1`;
    plan skip_all => 'nginx without HTTP/2'
        if $version !~ /--with-http_v2_module/;

    # "http2" moved out of "listen" in 1.25.1
    my ($major, $minor, $patch) = $version =~ m{nginx/(\d+)\.(\d+)\.(\d+)};
    my $new = $major * 1e6 + $minor * 1e3 + $patch >= 1_025_001;

    my ($quick, $slow) = map {
        CodatTest::Upstream->new(answer => { status => 200, delay => $_ })
    } 0.4, 1.2;

    my $nginx = CodatTest::Nginx->new(
        listen => ['127.0.0.1:{{port}}' . ($new ? '' : ' http2'),
                   '127.0.0.1:{{port1}}'],
        conf => {
            http => "$credential log_subrequest on;
                     log_format short '\$uri \$upstream_status';",
            server => ($new ? 'http2 on;' : '') . <<"EOC",
                access_log logs/access.log short;
                location = /w { codat_webhook zone=codat;
                                codat_forward * /quick;
                                codat_forward * /slow; }
                location = /quick { internal;
                    proxy_pass http://@{[$quick->address]}; }
                location = /slow  { internal;
                    proxy_pass http://@{[$slow->address]}; }
EOC
        })->start;

    my $frame = sub {
        my ($type, $flags, $stream, $payload) = @_;
        return substr(pack('N', length $payload), 1)
            . pack('CCN', $type, $flags, $stream) . $payload;
    };
    my $body = $event;

    my %leave = (
        reset => sub { syswrite($_[0], $frame->(3, 0, 1, pack('N', 8))) },
        close => sub { close($_[0]) },
        abort => sub { CodatTest::Client::abort({ socket => $_[0] }) },
    );

    for my $how (sort keys %leave) {
        $_->reset for $quick, $slow;
        $nginx->mark;

        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $nginx->port) or die "connect: $@\n";
        my $head = join('', map {
            "\0" . chr(length $_->[0]) . $_->[0]
                 . chr(length $_->[1]) . $_->[1]
        } [':method', 'POST'], [':scheme', 'http'], [':path', '/w'],
          [':authority', 'localhost'], ['authorization', 'Bearer sesame'],
          ['webhook-id', "h2-$how"]);
        syswrite($socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                 . $frame->(4, 0, 0, '') . $frame->(1, 4, 1, $head)
                 . $frame->(0, 1, 1, $body));

        is(scalar $quick->wait_requests(1), 1, "$how: one forward runs");
        is(scalar $slow->wait_requests(1), 1, "$how: the other one too");
        $leave{$how}->($socket);

        # until both are logged, or the longer one's time is well over
        my $until = time + slow(6);
        my @ended;
        do {
            sleep(0.05);
            @ended = sort $nginx->access_log =~ m{^(/(?:quick|slow) .*)$}mg;
        } while (@ended < 2 && time < $until);
        is_deeply(\@ended, ['/quick 200', '/slow 200'],
                  "$how: both were answered");

        is(settle($nginx, '/w', id => "h2-$how", body => $body,
                  port => $nginx->port(1)),
           '200 duplicate', "$how: a retry");
        is(scalar $quick->requests, 1, "$how: one application saw it once");
        is(scalar $slow->requests, 1, "$how: the other one too");
        close($socket) if $how eq 'reset';
    }

    ends_well($nginx);
};


# "none", as a map says it, is the base64 of three bytes: whoever guessed the
# word could sign.

subtest 'a word in a map is no secret' => sub {
    my %secret = map { $_ => 'whsec_' . encode_base64('k' x $_, '') } 23, 65;
    my $nginx = CodatTest::Nginx->new(conf => {
        http => <<"EOC",
            codat_zone zone=codat:1m;
            map \$http_x_who \$secret {
                word   none;
                empty  "";
                three  whsec_none;
                short  $secret{23};
                long   $secret{65};
            }
            codat_credential signature \$secret;
EOC
        server => 'location = /w { codat_webhook zone=codat; }',
    })->start;

    my $body = body('company.created');
    my $outcome = sub {
        my ($who, $secret) = @_;
        my $response = $nginx->request('POST', '/w',
            signed_headers($secret, $body) . "X-Who: $who\n", $body);
        return $response->status . ' '
            . ($response->json->{result} // $response->json->{code});
    };

    is($outcome->('word', 'none'), '401 signature_mismatch', 'none');
    like($nginx->error_log, qr/too short for one without "whsec_"/, 'logged');
    is($outcome->('empty', 'none'), '401 signature_mismatch', 'empty');
    is($outcome->('three', 'none'), '200 accepted',
       'the same bytes as a secret that is meant');
    is($outcome->('short', $secret{23}), '200 accepted', '23 bytes');
    is($outcome->('long', $secret{65}), '200 accepted', '65 bytes');
    is($outcome->('long', $secret{23}), '401 signature_mismatch',
       'each its own');

    ends_well($nginx);
};


# Any forward's Retry-After was passed on: Codat waited for an application
# that nobody depends on.

subtest 'Retry-After of an optional forward is not passed on' => sub {
    my $app = CodatTest::Upstream->new(handler => sub {
        my ($status, $after) = $_[0]{uri} =~ m{^/(\d+)/(\d+)};
        return { status => $status,
                 headers => $after ? { 'Retry-After' => $after } : {} };
    });
    my $nginx = CodatTest::Nginx->new(conf => {
        http => $credential,
        server => <<"EOC",
            location = /optional { codat_webhook zone=codat;
                codat_forward * /app/429/77 optional;
                codat_forward * /app/503/0; }
            location = /required { codat_webhook zone=codat;
                codat_forward * /app/429/77;
                codat_forward * /app/503/0; }
            location = /both { codat_webhook zone=codat;
                codat_forward * /app/429/77 optional;
                codat_forward * /app/503/33; }
            location /app/ { internal;
                proxy_pass http://@{[$app->address]}/; }
EOC
    })->start;

    for (['/optional', undef], ['/required', 77], ['/both', 33]) {
        my ($path, $expected) = @$_;
        $app->reset;
        my $response = deliver($nginx, $path);
        is($response->status, 502, "$path: status");
        is($response->header('retry-after'), $expected,
           "$path: Retry-After");
        is(scalar $app->wait_requests(2), 2, "$path: both were asked");
    }

    ends_well($nginx);
};


done_testing();

# Signals to the master: a configuration that is refused leaves the old one
# whole, and what is under way is answered.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use File::Temp ();
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(handler => sub {
    my ($delay) = $_[0]{uri} =~ m{/slow/([\d.]+)};
    return { status => 200, delay => $delay // 0 };
});

my $http = 'codat_zone zone=codat:1m; codat_credential bearer sesame;';
my $server = <<"EOC";
    client_max_body_size 8k;
    location = /w    { codat_webhook zone=codat; codat_forward * /app; }
    location = /slow { codat_webhook zone=codat;
                       codat_forward * /app/slow/1; }
    location = /two  { codat_webhook zone=codat;
                       codat_forward * /app/slow/0.5;
                       codat_forward * /app/slow/1 optional; }
    location /html   { root {{prefix}}; }
    location /app    { internal; proxy_pass http://@{[$app->address]}; }
EOC

my $body = body('bills.write.successful');
my %headers = (Authorization => 'Bearer sesame',
               'Content-Type' => 'application/json');


my $tls = eval { require IO::Socket::SSL; 1 };
my $certificates = File::Temp->newdir;
my $certificate = '';

mkdir($certificates->dirname . '/bad.db-lock');

if ($tls) {
    my ($crt, $key) = make_cert($certificates->dirname);
    $certificate = "ssl_certificate $crt; ssl_certificate_key $key;";
}

$server .= $certificate;


sub start {
    return CodatTest::Nginx->new(
        level => 'info', workers => shift // 1,
        listen => ['127.0.0.1:{{port}}',
                   $tls ? '127.0.0.1:{{port1}} ssl' : ()],
        conf => { http => $http, server => $server })->start;
}


sub send_to {
    my ($nginx, $path, $id) = @_;

    my $client = $nginx->client;
    $client->send($client->build('POST', $path,
        { %headers, 'webhook-id' => $id }, $body, close => 1));

    return $client;
}


# "200 accepted", "503 in_progress", "no answer", ...

sub result {
    my $response = shift->read_response // return 'no answer';
    my $json = eval { $response->json } // {};

    return $response->status . ' '
        . ($json->{result} // $json->{code} // $response->body);
}


sub deliver { result(send_to(@_)) }


# The module's checks ended the HUP half-way through the making of the filter
# chain, which workers of the old configuration that start later use too: they
# had no filter that reads files, and answered 413 with the core's page.  So
# they did when what was refused had no endpoint, and hence no filter of ours.

for (
    ['an unknown format', qr/has an unknown format "nope"/, $http,
     $server . 'location = /bad { codat_webhook zone=codat;
                                  codat_forward * /app format=nope; }'],
    ['no credential', qr/has no "codat_credential"/,
     'codat_zone zone=codat:1m;', $server],
    ['a mistake elsewhere, and no endpoint', qr/unknown "nosuch" variable/,
     '', $certificate . 'location / { return 200 $nosuch; }'],
    ['a store that can\'t be made ready',
     qr/store "\S+\/bad\.db" of zone "codat" can't be made ready: /,
     $http =~ s{codat:1m}{codat:1m store=sqlite:$certificates/bad.db}r,
     $server],
    ['a mistake elsewhere, and endpoints', qr/unknown "nosuch" variable/,
     $http, $server . 'location /bad { return 200 $nosuch; }'],
) {
    my ($name, $reason, @conf) = @$_;

    subtest "a refused configuration leaves the old one whole: $name" => sub {
        $app->reset;
        my $nginx = start();
        my $content = join('', map { "line $_ of a static file\n" } 1 .. 4000);
        $nginx->file('html/file.txt', $content, 0644);

        my $whole = sub {
            my ($when, $n) = @_;

            my $response = $nginx->request('GET', '/html/file.txt');
            is($response && $response->status, 200, "$when: a file");
            ok($response && $response->body eq $content,
               "$when: ... all of it");

            $response = $nginx->request('GET', '/html/file.txt',
                                        { Range => 'bytes=70000-70099' });
            is($response && $response->body, substr($content, 70_000, 100),
               "$when: ... a part of it");

            # over TLS files are read, and not left to sendfile()
            if ($tls) {
                $response = eval {
                    $nginx->request('GET', '/html/file.txt', {}, undef,
                                    port => $nginx->port(1), tls => 1);
                };
                ok($response && $response->body eq $content,
                   "$when: ... all of it over TLS");
            }

            $response = $nginx->request('POST', '/w', \%headers,
                                        'x' x 8193);
            is($response && $response->status, 413, "$when: too large");
            is($response && $response->header('content-type'),
               'application/problem+json', "$when: ... a problem");
            is(eval { $response->json->{code} }, 'body_too_large',
               "$when: ... its code");

            is(deliver($nginx, '/w', "new-$n"), '200 accepted',
               "$when: a webhook");
            for my $id (1 .. $n) {
                is(deliver($nginx, '/w', "new-$id"), '200 duplicate',
                   "$when: a copy of number $id");
            }
        };

        $whole->('before', 1);

        my ($worker) = $nginx->pids;
        ok(!$nginx->reload(http => $conf[0], server => $conf[1]), 'refused');
        like($nginx->error_log, qr/\[emerg\].*$reason/, 'why');
        is_deeply([$nginx->pids], [$worker], 'the worker stays');
        $whole->('afterwards', 2);

        my ($old, $new) = $nginx->kill_worker('KILL');
        $whole->('in a new worker', 3);
        is_deeply([$nginx->pids], [$new], 'which is still there');

        is(scalar $app->requests, 3, 'the application got each once');

        ok($nginx->reload(http => $http, server => $server),
           'the old configuration is accepted');
        $whole->('after that', 4);
        ok($nginx->stop, 'nginx ends in time');
        no_bad_log($nginx, except => qr/exited on signal 9|\[emerg\].*$reason/);
    };
}


subtest 'a zone of another size starts empty' => sub {
    $app->reset;
    my $nginx = start(2);

    is(deliver($nginx, '/w', 'one'), '200 accepted', 'before');
    is(deliver($nginx, '/w', 'one'), '200 duplicate', 'known');

    ok($nginx->reload(http => $http), 'reloaded');
    is(deliver($nginx, '/w', 'one'), '200 duplicate',
       'the same size: still known');

    ok($nginx->reload(http => $http =~ s/:1m/:2m/r), 'reloaded, larger');
    is(deliver($nginx, '/w', 'one'), '200 accepted', 'larger: forgotten');
    is(deliver($nginx, '/w', 'one'), '200 duplicate', 'larger: known again')
        for 1 .. 4;

    ok($nginx->reload(http => $http =~ s/:1m/:64k/r), 'reloaded, smaller');
    is(deliver($nginx, '/w', 'one'), '200 accepted', 'smaller: forgotten');
    is(deliver($nginx, '/w', 'one'), '200 duplicate', 'smaller: known again')
        for 1 .. 4;

    is(scalar $app->requests, 3, 'the application got it three times');
    ok($nginx->wait_idle(10), 'no connection is left');
    ok($nginx->stop, 'nginx ends in time');
    no_bad_log($nginx);
};


# The zone of the old size is in use by the old worker until its end.

subtest 'HUP while a forward is under way' => sub {
    my $nginx = start();
    my $zone = $http;

    for (['the same zone', '1m', '200 duplicate'],
         ['a zone of another size', '2m', '200 accepted'])
    {
        my ($name, $size, $copy) = @$_;

        for my $path (qw(/slow /two)) {
            $app->reset;
            my $forwards = $path eq '/two' ? 2 : 1;
            my ($old) = $nginx->pids;

            my $client = send_to($nginx, $path, "hup $path $size");
            is(scalar $app->wait_requests($forwards), $forwards,
               "$name, $path: under way");
            ok($nginx->reload(http => $http =~ s/:1m/:$size/r),
               "$name, $path: reloaded");
            isnt(($nginx->pids)[0], $old, "$name, $path: a new worker");
            is(result($client), '200 accepted', "$name, $path: answered");

            # only the first of the two changes the size
            my $expected = $path eq '/slow' ? $copy : '200 duplicate';
            is(deliver($nginx, $path, "hup $path $size"), $expected,
               "$name, $path: a copy");
        }
    }

    ok($nginx->wait_idle(10), 'no connection is left');
    ok($nginx->stop, 'nginx ends in time');
    no_bad_log($nginx);
};


subtest 'QUIT while a forward is under way' => sub {
    for my $path (qw(/slow /two)) {
        $app->reset;
        my $nginx = start(2);
        my $forwards = $path eq '/two' ? 2 : 1;

        my @clients = map { send_to($nginx, $path, "quit-$_") } 1 .. 3;
        is(scalar $app->wait_requests(3 * $forwards), 3 * $forwards,
           "$path: under way");
        my @pids = $nginx->pids(all => 1);

        my $start = time;
        ok($nginx->stop('QUIT'), "$path: the master ends, with 0");
        cmp_ok(time - $start, '>', 0.3, "$path: not at once");

        is(result($_), '200 accepted', "$path: answered") for @clients;
        is(scalar $app->requests, 3 * $forwards,
           "$path: nothing was sent twice");

        my %ended = $nginx->error_log
            =~ /worker process (\d+) exited with code (\d+)/g;
        is_deeply(\%ended, { map { $_ => 0 } @pids },
                  "$path: the workers end with 0");
        is_deeply([grep { kill(0, $_) } @pids], [], "$path: none is left");
        no_bad_log($nginx);
    }
};


done_testing();

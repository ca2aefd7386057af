# Bodies: in one buffer, in several, in a temporary file, chunked, empty,
# large; and the next request on the same connection after any answer.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use CodatTest;
use File::Find qw(find);

my $secret = new_secret();
my $other = new_secret();
my $app = CodatTest::Upstream->new(answer => { status => 500 });

my $nginx = CodatTest::Nginx->new(level => 'info', conf => {
    http => "codat_zone zone=codat:4m;
             codat_credential signature $secret;
             client_max_body_size 1m;
             keepalive_timeout 5s;",
    server => 'location /memory { codat_webhook zone=codat;
                   client_body_buffer_size 2m; }
               location /default { codat_webhook zone=codat; }
               location /small { codat_webhook zone=codat;
                   client_body_buffer_size 1k; }
               location /single { codat_webhook zone=codat;
                   client_body_buffer_size 1k;
                   client_body_in_single_buffer on; }
               location /file { codat_webhook zone=codat;
                   client_body_in_file_only clean; }
               location /client { codat_webhook zone=codat;
                   codat_client mine; }
               location /fails { codat_webhook zone=codat;
                   codat_forward * /app; }
               location /app { proxy_pass http://' . $app->address . '; }',
})->start;


# a webhook of exactly this many bytes

sub webhook {
    my $length = shift;

    return '{' . ' ' x ($length - 2) . '}' if $length < 20;

    my $body = '{"id":"e","pad":""}';
    substr($body, -2, 0, 'x' x ($length - length $body));

    return $body;
}

# asks on this connection, in a framing; returns "STATUS code-or-result"

my %framings = (
    'Content-Length' => sub { return $_[0]->request(@_[1 .. 4]) },
    'Content-Length, in pieces' => sub {
        my ($client, @request) = @_;
        my $bytes = $client->build(@request);
        my $size = length($bytes) / 5 + 1;
        while (length $bytes) {
            $client->send(substr($bytes, 0, $size, '')) or last;
            select(undef, undef, undef, 0.001);
        }
        return $client->read_response;
    },
    map { my $size = $_; "chunks of $size" => sub {
        return $_[0]->request(@_[1 .. 4], chunked => $size);
    } } 1, 3, 1000, 4097, 70_000,
);

sub outcome {
    my $response = shift // return 'no answer';
    my $json = eval { $response->json } // {};

    return CORE::join(' ', $response->status,
                      $json->{code} // $json->{result} // '?');
}

sub ask {
    my ($client, $framing, $uri, $body, %opt) = @_;

    return $framings{$framing}->($client, $opt{method} // 'POST', $uri,
        ($opt{headers} // signed_headers($opt{secret} // $secret, $body)),
        $body);
}


# every place of a body, size and framing: right, wrong, right again

for my $place (qw(memory default small single file)) {
    for my $framing (sort keys %framings) {
        my ($chunk) = $framing =~ /of (\d+)/;
        my @sizes = (2, 19, 1023, 1024, 1025, 16_384, 65_537, 1_048_576);
        @sizes = grep { $_ / ($chunk // 1e9) < 3000 } @sizes;

        my $client = $nginx->client(timeout => 10);
        my (@got, @expected);

        for my $size (@sizes) {
            my $body = webhook($size);
            push @got, map { "$size: " . outcome($_) }
                ask($client, $framing, "/$place", $body),
                ask($client, $framing, "/$place", $body, secret => $other),
                ask($client, $framing, "/$place", $body);
            push @expected, "$size: 200 accepted",
                "$size: 401 signature_mismatch", "$size: 200 accepted";
        }

        is_deeply(\@got, \@expected, "$place, $framing: @sizes bytes");
    }

    my $client = $nginx->client;
    my $response = ask($client, 'Content-Length', "/$place", webhook(50_000));
    is($response->body, '{"id":"e","type":"unknown","result":"accepted"}',
       "$place: the whole answer");

    is(outcome(ask($client, $_, "/$place", '')), '400 malformed_json',
       "$place, $_: an empty body") for 'Content-Length', 'chunks of 3';
    is(outcome($client->request('POST', "/$place", signed_headers($secret, ''))),
       '400 malformed_json', "$place: no body at all");
    is(outcome(ask($client, 'Content-Length', "/$place", '{}')),
       '200 accepted', "$place: and another request after that");
}


# after every kind of answer the next request is read from its beginning

my @answers = (
    ['200 accepted'],
    ['401 signature_missing', headers => "X: y\n"],
    ['401 signature_mismatch', secret => $other],
    ['401 timestamp_out_of_tolerance',
     headers => signed_headers($secret, 'x', offset => -1000)],
    ['405 method_not_allowed', method => 'GET'],
    ['405 method_not_allowed', method => 'DELETE'],
    ['405 ?', method => 'HEAD'],
    ['415 unsupported_media_type', more => "Content-Type: text/plain\n"],
    ['415 unsupported_media_type', more => "Content-Encoding: gzip\n"],
    ['403 client_not_allowed', uri => '/client',
     more => "X-Codat-ClientId: alien\n"],
    ['403 client_not_allowed', uri => '/client', body => sub {
         '{"ClientId":"alien","pad":"' . 'x' x $_[0] . '"}' }],
    ['400 malformed_json', body => sub { '{' . ' ' x $_[0] }],
    ['400 unrecognised_event', body => sub { ' ' x $_[0] . '[]' }],
    ['502 forward_failed', uri => '/fails'],
);

for my $answer (@answers) {
    my ($expected, %opt) = @$answer;

    for my $framing ('Content-Length', 'Content-Length, in pieces',
                     'chunks of 1000')
    {
        my $client = $nginx->client(timeout => 10);
        my @got;

        for my $size (30, 3000, 300_000) {
            my $body = ($opt{body} // \&webhook)->($size);
            my $headers = ($opt{headers}
                           // signed_headers($opt{secret} // $secret, $body))
                . ($opt{more} // '');
            my $method = $opt{method} // 'POST';

            if ($method eq 'HEAD') {
                $client->send($client->build($method, '/default', $headers,
                    $body, $framing =~ /chunk/ ? (chunked => 1000) : ()));
                push @got, outcome($client->read_response(head => 1));

            } else {
                push @got, outcome(ask($client, $framing,
                    $opt{uri} // '/default', $body, method => $method,
                    headers => $headers));
            }

            push @got, outcome(ask($client, 'Content-Length', '/default',
                                   '{}'));
        }

        is_deeply(\@got, [($expected, '200 accepted') x 3],
                  "$framing: the next request after $expected"
                  . ($opt{method} ? " ($opt{method})" : ''));
    }
}

{
    my $client = $nginx->client;
    my $headers = signed_headers($secret, '{}', id => 'msg_same');
    my @got = map { outcome($client->request('POST', '/default', $headers,
                                             '{}')) } 1 .. 3;
    push @got, outcome(ask($client, 'Content-Length', '/default', '{}'));
    is_deeply(\@got, ['200 accepted', ('200 duplicate') x 2, '200 accepted'],
              'the next request after duplicates');
}

# after 413 there is none: the client is told, and let go in peace

for my $framing ('Content-Length', 'chunks of 70000') {
    my $client = $nginx->client(timeout => 10);
    my $response = ask($client, $framing, '/default', webhook(1_048_577));

    is(outcome($response), '413 body_too_large', "$framing: too large");
    is($response && $response->header('connection'), 'close',
       "$framing: 413 closes the connection, and says so");
    is($response && $response->header('content-type'),
       'application/problem+json', "$framing: 413 is a problem");
    $client->close;
}


# several requests at once: each gets its own answer, in order

for my $chunked (0, 7) {
    my $client = $nginx->client(timeout => 10);
    my @how = $chunked ? (chunked => $chunked) : ();
    my $bytes = '';
    my @expected;

    for my $round (1 .. 3) {
        my $body = webhook(200 * $round);
        my $good = signed_headers($secret, $body);
        my $bad = signed_headers($other, $body);

        for (
            ['200 accepted', 'POST', '/default', $good, $body],
            ['401 signature_mismatch', 'POST', '/default', $bad, $body],
            ['401 signature_missing', 'POST', '/default', '', $body],
            ['405 method_not_allowed', 'DELETE', '/default', $good, $body],
            ['405 method_not_allowed', 'GET', '/default', $good, undef],
            ['415 unsupported_media_type', 'PUT', '/small',
             "${good}Content-Type: x/y\n", $body],
            ['400 malformed_json', 'POST', '/small',
             signed_headers($secret, "$body,"), "$body,"],
            ['200 duplicate', 'PUT', '/default', $good, $body],
            ['200 accepted', 'POST', '/file', signed_headers($secret, $body),
             $body],
        ) {
            my ($outcome, @request) = @$_;
            push @expected, $outcome;
            $bytes .= $client->build(@request, @how);
        }
    }

    $client->send($bytes);
    my @got = map { outcome($client->read_response) } @expected;
    is_deeply(\@got, \@expected, 'pipelined requests'
              . ($chunked ? ', chunked' : ''));
}


# Expect: 100-continue

for my $place (qw(default small file)) {
    for my $size (30, 300_000) {
        my $client = $nginx->client(timeout => 10);
        my $body = webhook($size);
        my $response = $client->request('POST', "/$place",
            signed_headers($secret, $body), $body, expect => 1);

        is(outcome($response), '200 accepted',
           "$place, $size bytes: accepted after 100 Continue");
        is_deeply([$response->interim], [100], '... which came once');
    }
}

for (
    ['401 signature_missing', headers => ''],
    ['401 timestamp_out_of_tolerance',
     headers => signed_headers($secret, '', offset => 1000)],
    ['405 method_not_allowed', method => 'DELETE'],
    ['415 unsupported_media_type', more => "Content-Type: text/plain\n"],
    ['403 client_not_allowed', uri => '/client',
     more => "X-Codat-ClientId: alien\n"],
    ['413 body_too_large', size => 1_048_577],
    ['401 signature_missing', headers => '', size => 1_048_577],
) {
    my ($expected, %opt) = @$_;
    my $client = $nginx->client(timeout => 10);
    my $body = webhook($opt{size} // 3000);
    my $headers = ($opt{headers} // signed_headers($secret, $body))
        . ($opt{more} // '') . "Expect: 100-continue\n";
    my $bytes = $client->build($opt{method} // 'POST', $opt{uri} // '/default',
                               $headers, $body);

    $client->send($bytes =~ s/\Q$body\E$//r);
    my $response = $client->read_response(interim => 1);
    is(outcome($response), $expected, "$expected: without 100 Continue");

    if (($response->header('connection') // '') eq 'close') {
        $client->half_close;
        ok($client->closed, "$expected: the connection ends as announced");

    } else {
        $client->send($body);
        is(outcome(ask($client, 'Content-Length', '/default', '{}')),
           '200 accepted', "$expected: the body may come all the same");
    }
}


# broken chunks are the core's affair: refused, nothing worse

{
    my $client = $nginx->client;
    $client->send($client->build('POST', '/default',
        signed_headers($secret, '{}') . "Transfer-Encoding: chunked\n", undef)
        . "zz\r\n{}\r\n0\r\n\r\n");
    my $response = $client->read_response;
    is($response && $response->status, 400, 'a chunk without a size');
    $client->half_close;
    ok($client->closed, '... ends the connection');
}


# nothing is left

ok($nginx->wait_idle, 'no connection is left');
my @files;
find(sub { push @files, $_ if -f }, $nginx->prefix . '/temp');
is_deeply(\@files, [], 'no temporary file is left');
my $log = $nginx->error_log(all => 1);
no_bad_log($nginx);
unlike($log, qr/\[warn\]/, 'no warning, not even of temporary files');
my $key = $secret =~ s/^whsec_//r;
unlike($log, qr/\Q$key\E/, 'no secret in the log');
ok($nginx->stop, 'nginx stops');

done_testing();

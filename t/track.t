# Calls to Codat's API: pushes are registered from the answers, which reach
# the client as they are, and early.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use File::Temp ();
use IO::Select ();
use IO::Uncompress::Gunzip qw(gunzip);
use Test::More;
use Time::HiRes qw(time sleep);

my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';

my $dir = File::Temp->newdir;
my ($cert, $key) = make_cert($dir->dirname);

my $t = CodatTest::Track->new(
    workers => 2, listen => '127.0.0.1:{{port}} reuseport',
    http => <<"EOC",
        codat_zone zone=tiny:32k;
        server { listen 127.0.0.1:{{port3}} ssl;
                 ssl_certificate $cert; ssl_certificate_key $key;
                 location / { proxy_pass http://api; $proxy } }
        upstream tls { server 127.0.0.1:{{port3}}; keepalive 4; }
EOC
    location => 'add_header X-Seen $codat_reference;',
    server => <<"EOC");
        location /unbuffered/ { codat_track zone=codat; proxy_buffering off;
                                proxy_pass http://api/; $proxy }
        location /small/      { codat_track zone=codat; proxy_buffers 2 1k;
                                proxy_buffer_size 1k; proxy_busy_buffers_size 1k;
                                proxy_pass http://api/; $proxy }
        location /http10/     { codat_track zone=codat;
                                proxy_pass http://api/; }
        location /expense/    { codat_track zone=codat
                                            reference=expense-\$arg_id;
                                proxy_pass http://api/; $proxy }
        location /moved/      { error_page 502 504 = /fallback/;
                                codat_track zone=codat;
                                proxy_pass http://127.0.0.1:1/; }
        location /named/      { error_page 502 504 = \@fallback;
                                codat_track zone=codat;
                                proxy_pass http://127.0.0.1:1/; }
        location /fallback/   { codat_track zone=codat;
                                proxy_method POST;
                                proxy_pass http://api@{[path()]}; $proxy }
        location \@fallback   { rewrite ^/named(/.*) \$1 break;
                                codat_track zone=codat;
                                proxy_pass http://api; $proxy }
        location /internal/   { rewrite ^/internal/(.*) /api/\$1; }
        location /if/         { codat_track zone=codat;
                                if (\$request_method = POST) {
                                    proxy_pass http://api; }
                                rewrite ^/if(/.*) \$1 break;
                                proxy_pass http://api; $proxy }
        location /tls/        { codat_track zone=codat;
                                proxy_ssl_verify on; proxy_ssl_name localhost;
                                proxy_ssl_trusted_certificate $cert;
                                proxy_pass https://tls/; $proxy }
        location /tiny/       { codat_track zone=tiny;
                                proxy_pass http://api/; $proxy }
        location /tinystatus/ { codat_status zone=tiny; }
        location /denied/     { codat_track zone=codat; deny all;
                                proxy_pass http://api/; $proxy }
EOC

my $api = $t->api;

sub path { return '/companies/c-1/connections/n-1/push/invoices' }


# what differs between an answer and the same one past nginx: by time and id

sub plain_text {
    my $text = shift;

    $text =~ s/"(requestedOnUtc|pushOperationKey)" ?: ?"[^"]*"/"$1":""/g;

    return $text;
}


subtest 'a push is registered' => sub {
    my $answer = $t->push('', 'X-Codat-Reference' => 'expense-17');

    is($answer->status, 200, 'answered by the API');
    is($answer->{op}{status}, 'Pending', 'it is pending');
    ok(!defined $answer->header('preference-applied'), 'nothing is added');

    my $row = $t->row($answer->{key});
    is($row->{status}, 'Pending', 'the row is there at once');
    is($row->{reference}, 'expense-17', 'with the reference');
    is($row->{companyId}, $t->{company}, 'company');
    is($row->{connectionId}, $t->{connection}, 'connection');
    is($row->{dataType}, 'invoices', 'data type');
    like($row->{requestedOn}, qr/^20\d\d-.*Z$/, 'when');
    is($row->{final}, JSON::PP::false, 'not final');

    my ($request) = reverse $api->requests;
    is($request->header('x-codat-reference'), undef, 'the API has not seen it');
    is($request->{body}, '{"invoiceNumber":"A-1"}', 'but the body');

    is($answer->header('x-seen'), 'expense-17', '$codat_reference');

    ok($api->finish($answer->{key}), 'the webhook comes');
    ok($t->became($answer->{key}, 'Success'), 'and is matched');
    is($t->row($answer->{key})->{reference}, 'expense-17',
       'the reference stays');
};


subtest 'the event has the reference' => sub {
    my $answer = $t->push('after=0.05', 'X-Codat-Reference' => 'R 1');

    ok($t->became($answer->{key}, 'Success'), 'it became final');
    my $events = $t->nginx->request('GET', '/codat/events?limit=1')->json;
    is($events->{results}[0]{data}{reference}, 'R 1', 'as it was sent');
};


subtest 'a webhook that overtakes the answer' => sub {
    for my $final (qw(Success Failed)) {
        my $answer = $t->push("after=-0.05; final=$final",
                              'X-Codat-Reference' => "late $final");
        is($answer->{op}{status}, 'Pending', 'the answer is older');
        my $row = $t->row($answer->{key});
        is($row->{status}, $final, "$final stays");
        is($row->{reference}, "late $final", 'with the reference');
    }
};


subtest 'all methods and paths of pushes' => sub {
    for my $case (['POST', 'bills'], ['PUT', 'invoices/inv%201'],
                  ['DELETE', 'bills/b1'], ['POST', 'bills/b1/attachment'],
                  ['POST', 'bankAccounts/a1/bankTransactions'],
                  ['POST', 'invoices?timeoutInMinutes=5'])
    {
        my ($method, $rest) = @$case;
        my $answer = $t->call($method, '/api' . $t->path($rest), '',
            body => '{}', 'X-Codat-Reference' => "$method $rest");
        my $row = $t->row($answer->{key} // 'none');
        is($row && $row->{reference}, "$method $rest", "$method $rest");
    }

    # whatever the path: what counts is the answer
    my $answer = $t->call('POST', '/api/companies', 'text={"status":"Pending"'
        . ',"pushOperationKey":"a b/\u00e9"}', body => '{}');
    is($t->row('a%20b/%C3%A9')->{status}, 'Pending', 'and keys of any kind');
};


subtest 'what is no push is left alone' => sub {
    my $before = $t->counted('registered');

    for my $text ('{"status":"Pending"}', '{"pushOperationKey":"k"}', '[]',
                  '"pushOperationKey"', '', 'null',
                  '{"pushOperationKey":7,"status":"Pending"}',
                  '{"pushOperationKey":"","status":"Pending"}',
                  '{"data":{"pushOperationKey":"k","status":"Pending"}}',
                  '[{"pushOperationKey":"k","status":"Pending"}]')
    {
        my $answer = $t->call('POST', '/api/companies', "text=$text",
                              body => '{}');
        is($answer->body, $text, length $text ? $text : 'nothing');
    }

    for my $status (400, 404, 429, 500) {
        my $answer = $t->push("status=$status");
        is($answer->status, $status, "an error $status");
        is($answer->json->{statusCode}, $status, 'as the API said it');
    }

    for my $type (qw(text/plain application/xml application/xjson
                     application/js application/json-seq)) {
        my $answer = $t->call('POST', '/api/companies', "type=$type; "
            . 'text={"pushOperationKey":"k","status":"Pending"}',
            body => '{}');
        is($answer->status, 200, "not JSON: $type");
        is($t->row('k'), undef, 'nothing of it is known');
    }

    is($t->counted('registered'), $before, 'nothing was counted');
};


subtest 'bad JSON passes' => sub {
    $t->nginx->mark;
    my $before = $t->counted('unreadable');

    for my $text ('{"pushOperationKey":"bad","status":"Pending"',
                  '{"pushOperationKey":"bad","status":"Pending"}}',
                  '{"pushOperationKey":"bad","status":"Pending",}',
                  '{"pushOperationKey" "bad","status":"Pending"}',
                  '{"pushOperationKey":"bad","status":"Pending","a":[1}',
                  "{\"pushOperationKey\":\"bad\",\"status\":\"Pen\x01\"}",
                  '{"pushOperationKey":"bad","status":"\x"}',
                  '{"pushOperationKey":"bad","a":' . '[' x 70 . ']' x 70 . '}')
    {
        my $answer = $t->call('POST', '/api/companies', "text=$text",
                              body => '{}');
        is($answer->body, $text, 'as it is');
    }

    is($t->row('bad'), undef, 'nothing of it is known');
    is($t->counted('unreadable') - $before, 8, 'counted');
    like($t->nginx->error_log,
         qr/\[info\].*codat: answer of the API can't be read, \w+.* at byte/,
         'logged');
};


subtest 'answers in any form, byte for byte' => sub {
    my %form = (
        'in one piece' => '', 'with white space' => 'pretty=1',
        'in chunks' => 'chunked=7', 'in one chunk' => 'chunked=100000',
        'until the end' => 'nolength=1', 'large' => 'pad=3000000',
        'large, in chunks' => 'pad=300000; chunked=1000',
        'slow chunks' => 'chunked=60; pause=0.01',
        'final' => 'after=now', 'failed' => 'after=now; final=Failed',
    );

    for my $name (sort keys %form) {
        for my $location (qw(api unbuffered small http10 tls)) {
            next if $location eq 'http10' && $form{$name} =~ /chunked/;
            my $plain = $t->call('POST', '/plain' . $t->path, $form{$name},
                                 body => '{"a":[1,{"id":2}]}');
            my $answer = $t->call('POST', "/$location" . $t->path,
                $form{$name}, body => '{"a":[1,{"id":2}]}',
                'X-Codat-Reference' => $name);

            my ($one, $two) = map { my $text = plain_text($_->body);
                $text =~ s/"(completedOnUtc|id)" ?: ?"[^"]*"/"$1":""/g;
                $text } $plain, $answer;
            ok($one eq $two, "$name, /$location/: the same body")
                or diag(substr($one, 0, 500), "\n", substr($two, 0, 500));
            is(($t->row($answer->{key} // 'none') // {})->{reference}, $name,
               'registered');

            next if $location ne 'api';
            my @names = map { join(',', map { lc $_->[0] }
                grep { $_->[0] !~ /^x-s/i } @{$_->{headers}}) }
                $plain, $answer;
            is($names[1], $names[0], 'the same headers');
        }
    }
};


subtest 'compressed answers' => sub {
    for my $form ('gzip=1', 'gzip=1; pad=200000', 'gzip=1; chunked=11') {
        for my $location (qw(api unbuffered small)) {
            my $answer = $t->call('POST', "/$location" . $t->path, $form,
                body => '{}', 'Accept-Encoding' => 'br;q=1.0, GZip;q=0.8, *',
                'X-Codat-Reference' => "$location $form");
            is($answer->header('content-encoding'), 'gzip',
               "$form, /$location/: compressed");
            my $body = $answer->body;
            gunzip(\$body => \my $text);
            my $key = JSON::PP->new->decode($text)->{pushOperationKey};
            is($t->row($key)->{reference}, "$location $form", 'registered');
        }
    }

    for my $case (['gzip', 'gzip'], ['deflate, gzip;q=1.0', 'gzip'],
                  ['br', undef], ['gzip;q=0', undef], ['gzip;q=0.0, br', undef],
                  ['identity', undef], ['gzip;q=0.5', 'gzip'],
                  ['xgzip', undef], ['*', undef])
    {
        $api->reset;
        $t->push('', 'Accept-Encoding' => $case->[0]);
        my ($request) = $api->requests;
        is($request->header('accept-encoding'), $case->[1],
           "a client that accepts $case->[0]");
    }

    $api->reset;
    $t->call('GET', '/api/companies', '', 'Accept-Encoding' => 'br, gzip');
    my ($request) = $api->requests;
    is($request->header('accept-encoding'), 'br, gzip',
       'what is no push is asked for as the client does');

    my $answer = $t->push('gzip=2');
    is($answer->header('content-encoding'), 'gzip', 'one that nobody wanted');
    my $body = $answer->body;
    gunzip(\$body => \my $text);
    ok($t->row(JSON::PP->new->decode($text)->{pushOperationKey}),
       'is registered all the same');

    for my $case (['identity', 1], ['Identity', 1], ['compress', 0],
                  ['identita', 0])
    {
        my ($encoding, $known) = @$case;
        my $key = uuid();
        my $answer = $t->push(qq(encoding=$encoding; text={"pushOperationKey":)
                              . qq("$key","status":"Pending"}));
        is($answer->header('content-encoding'), $encoding,
           "Content-Encoding: $encoding passes");
        is($t->row($key) ? 1 : 0, $known,
           $known ? 'the push is registered' : 'nothing of it is known');
    }
};


subtest 'not later than without' => sub {
    my $client = $t->nginx->client;
    my $start = time;
    $client->send($client->build('POST', '/unbuffered' . $t->path,
        { 'X-Mock' => 'chunked=40; pause=0.1' }, '{}'));

    ok(IO::Select->new($client->socket)->can_read(2), 'the answer begins');
    cmp_ok(time - $start, '<', 0.3, 'long before it ends');
    ok($client->read_response(timeout => 10), 'and ends');
};


subtest 'references' => sub {
    my %reference = (
        'as long as can be' => 'x' x 1024,
        'in UTF-8' => "r\xc3\xa9f\xe2\x82\xac",
        'with quotes' => 'a"b\\c',
        'with a tab' => "a\tb",
    );

    for my $name (sort keys %reference) {
        my $answer = $t->push('after=0.02',
                              'X-Codat-Reference' => $reference{$name});
        my $text = $reference{$name};
        utf8::decode($text);
        is($t->row($answer->{key})->{reference}, $text, $name);
        ok($t->became($answer->{key}, 'Success'), 'it became final');
        my $events = $t->nginx->request('GET', '/codat/events?limit=1')->json;
        is($events->{results}[0]{data}{reference}, $text, 'and in the event');
    }

    my $answer = $t->push('', 'X-Codat-Reference' => "a\xff\xfeb");
    is($t->row($answer->{key})->{reference}, "a\x{fffd}\x{fffd}b",
       'JSON has no bytes that are no UTF-8');
    is($answer->header('x-seen'), "a\xff\xfeb", 'but variables have');

    $api->reset;
    $answer = $t->push('', 'X-Codat-Reference' => 'x' x 1025);
    is($answer->status, 400, 'one that is too long');
    is($answer->{op}{code}, 'invalid_reference', 'is a problem');
    is(scalar(my @none = $api->requests), 0, 'and nothing was pushed');

    $answer = $t->push('', 'X-Codat-Reference' => '');
    is($t->row($answer->{key})->{reference}, undef, 'an empty one is none');

    $answer = $t->call('POST', '/expense' . $t->path . '?id=17', '',
                       body => '{}', 'X-Codat-Reference' => 'other');
    is($t->row($answer->{key})->{reference}, 'expense-17',
       'from another variable');
    my ($request) = reverse $api->requests;
    is($request->header('x-codat-reference'), undef,
       'the header is not passed on for all that');

    my $list = $t->nginx->request('GET',
                           '/codat/pushes?reference=expense-17&limit=9')->json;
    is(scalar(@{$list->{results}}), 2, 'references are found');
};


subtest 'headers that are for nginx' => sub {
    my %header = (
        'wait=5' => undef, 'respond-async, wait=5' => 'respond-async',
        'wait=5, respond-async' => 'respond-async',
        'a=",wait=5", b;c="wait=3", wait=7;x=1, d' =>
            'a=",wait=5", b;c="wait=3", d',
        'respond-async' => 'respond-async', 'waiting=5' => 'waiting=5',
        'Wait = "5" , a' => 'a', 'wait' => undef, '' => '',
    );

    for my $value (sort keys %header) {
        for my $method (qw(GET POST)) {
            $api->reset;
            $t->call($method, '/api/companies', '', Prefer => $value);
            my ($request) = $api->requests;
            is($request->header('prefer'), $header{$value},
               "$method, Prefer: $value");
        }
    }

    $api->reset;
    $t->call('GET', '/api/companies', '', 'X-Codat-Reference' => 'a',
             'x-codat-after' => '', 'X-Codat-Other' => 'stays');
    my ($request) = $api->requests;
    is_deeply([grep { /codat/i } map { $_->[0] } @{$request->{headers}}],
              ['X-Codat-Other'], 'of the others only ours go');
};


subtest 'redirects inside nginx' => sub {
    for my $location (qw(moved named internal)) {
        $api->reset;
        my $answer = $t->call('POST', "/$location" . $t->path, '',
            body => '{"a":1}', 'X-Codat-Reference' => "by $location");
        is($answer->status, 200, "$location: answered");
        is(($t->row($answer->{key} // 'none') // {})->{reference},
           "by $location", 'registered, with the reference');
        is(scalar(my @requests = $api->requests), 1, 'once');
        is($requests[0]->header('x-codat-reference'), undef, 'not told');
    }

    my $answer = $t->call('POST', '/if' . $t->path, '', body => '{"a":1}');
    is($answer->status, 200, 'inside "if"');

    $api->reset;
    $answer = $t->call('POST', '/denied' . $t->path, '', body => '{}');
    is($answer->status, 403, 'access rules come first');
    is(scalar(my @none = $api->requests), 0, 'nothing was passed on');
};


subtest 'connections are kept' => sub {
    my $client = $t->nginx->client;
    $api->reset;

    for my $n (1 .. 5) {
        my $answer = $t->push('', client => $client,
                              'X-Codat-Reference' => "kept $n");
        is($t->row($answer->{key})->{reference}, "kept $n", "push $n");
    }

    my %connections = map { $_->{connection} => 1 } $api->requests;
    is(scalar keys %connections, 1, 'one to the API');
    $client->close;
};


subtest 'a zone that is full' => sub {
    my $client = $t->nginx->client;

    for my $n (1 .. 300) {
        my $answer = $t->call('POST', '/tiny' . $t->path, '', body => '{}',
            client => $client, 'X-Codat-Reference' => "r$n" . 'x' x 900);
        last if $answer->status != 200 || !$answer->{key};
        is($answer->status, 200, 'pushes go on') if $n == 300;
    }

    my $answer = $t->call('POST', '/tiny' . $t->path, 'after=now',
        body => '{}', client => $client, Prefer => 'wait=1');
    is($answer->{op}{status}, 'Success', 'also those that would be held');
    $client->close;

    my $page = $t->nginx->request('GET', '/tinystatus/metrics')->body;
    my ($evicted) = $page =~ /evicted_rows_total\{.*kind="push"\} (\d+)/;
    cmp_ok($evicted, '>', 100, 'old ones are forgotten');
};


subtest 'a client that leaves' => sub {
    # those that nginx keeps to its own server with TLS are open as well
    my $before = $t->nginx->stub_status->{active};

    my $client = $t->nginx->client;
    $api->reset;
    $client->send($client->build('POST', '/api' . $t->path,
        { 'X-Mock' => 'delay=0.2; key=left' }, '{}'));
    ok($api->wait_requests(1), 'the API has the request');
    $client->close;

    ok($t->nginx->_wait_until(sub {
        $t->nginx->stub_status->{active} <= $before }, 5),
       'no connection is left');
    is(scalar(my @all = $api->requests), 1, 'it was not repeated');
};


$t->done;

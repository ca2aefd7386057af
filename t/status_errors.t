# The status API: what it refuses, and mistakes in its configuration

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Nginx;
use CodatTest::Status;
use Test::More;


# mistakes in the configuration: [where, what stands there, the message]

my $location = 'location /codat/ { codat_status zone=codat; }';

for (
    ['no zone', 'location /codat/ { codat_status; }',
     'invalid number of arguments in "codat_status" directive'],
    ['two arguments', 'location /codat/ { codat_status zone=codat x; }',
     'invalid number of arguments in "codat_status" directive'],
    ['a bad argument', 'location /codat/ { codat_status codat; }',
     '"codat_status" has an invalid "codat": zone=NAME is allowed'],
    ['an empty zone', 'location /codat/ { codat_status zone=; }',
     '"codat_status" has an empty "zone="'],
    ['an unknown zone', 'location /codat/ { codat_status zone=other; }',
     '"codat_status" names a zone "other" that no "codat_zone '
     . 'zone=other:SIZE;" declares'],
    ['given twice', 'location /codat/ { codat_status zone=codat;
                                        codat_status zone=codat; }',
     '"codat_status" directive is duplicate'],
    ['exact', 'location = /codat { codat_status zone=codat; }',
     '"codat_status" needs a prefix location such as "location /codat/", '
     . '"/codat" is an exact one'],
    ['regex', 'location ~ ^/codat/ { codat_status zone=codat; }',
     '"codat_status" needs a prefix location such as "location /codat/", '
     . '"^/codat/" is a regular expression'],
    ['named', 'location @codat { codat_status zone=codat; }',
     '"codat_status" needs a prefix location such as "location /codat/", '
     . '"@codat" is a named one'],
    ['if', 'location /codat/ { if ($arg_x) { codat_status zone=codat; } }',
     '"codat_status" directive is not allowed here'],
    ['server', 'codat_status zone=codat;',
     '"codat_status" directive is not allowed here'],
    ['with proxy_pass behind', 'location /codat/ { codat_status zone=codat;
      proxy_pass http://127.0.0.1:1; }',
     '"codat_status" shares its location with another handler, such as '
     . '"proxy_pass", which belongs into a location of its own'],
    ['with proxy_pass before', 'location /codat/ {
      proxy_pass http://127.0.0.1:1; codat_status zone=codat; }',
     '"codat_status" shares its location with another handler, such as '
     . '"proxy_pass", which belongs into a location of its own'],
    ['with proxy_pass inside', 'location /codat/ { codat_status zone=codat;
      limit_except GET { proxy_pass http://127.0.0.1:1; } }',
     '"codat_status" shares its location with another handler, such as '
     . '"proxy_pass", which belongs into a location of its own'],
    ['with codat_webhook', 'location /codat/ { codat_status zone=codat;
      codat_webhook zone=codat; codat_credential bearer x; }',
     '"codat_status" and "codat_webhook" can\'t share a location, each needs '
     . 'its own'],
    ['behind codat_webhook', 'location /codat/ { codat_webhook zone=codat;
      codat_credential bearer x; codat_status zone=codat; }',
     '"codat_status" and "codat_webhook" can\'t share a location, each needs '
     . 'its own'],
    ['with codat_forward', 'location /codat/ { codat_status zone=codat;
      codat_forward * /app; }',
     '"codat_forward" in location "/codat/" has no effect without '
     . '"codat_webhook" in the same location'],
) {
    my ($name, $server, $message) = @$_;

    my ($ok, $said) = CodatTest::Nginx->new(conf => {
        http => 'codat_zone zone=codat:1m;', server => $server })->check;

    ok(!$ok, "$name: refused");
    like($said, qr/\[emerg\] \Q$message\E(?: in \S+:\d+)?$/m,
         "$name: message");
}

for my $name ('/codat/', '^~ /codat/', '/codat', '/', '^~ /') {
    my ($ok, $said) = CodatTest::Nginx->new(conf => {
        server => "location $name { codat_status zone=codat; }",
        http => 'server { listen 127.0.0.1:{{port1}}; }
                 codat_zone zone=codat:1m;' })->check;
    ok($ok, "location $name") or diag $said;
}


my $api = CodatTest::Status->new(server => '
    location /small/ { codat_status zone=codat; client_max_body_size 20; }
    location /denied/ { codat_status zone=codat; deny all; }
    location /paged/ { codat_status zone=codat; error_page 404 413 =200 /own; }
    location = /own { return 200 own; }
', http => 'client_max_body_size 10k;');
my $nginx = $api->nginx;
my $key = uuid();

$api->request('PUT', "/pushes/$key", '{}');


subtest 'paths that there are not' => sub {
    $api->refused(404, 'not_found', qr/^there is no such path$/, 'GET', $_)
        for '/x', '/push', '/pushesx', '/Pushes', '/pushes/', '/pushes%2F',
            '/pushes//', '/connections/', '/health/', '/health/x',
            '/metrics/x', '/events/', '/x/health', '/x/pushes/a';
    $api->refused(404, 'not_found', qr/^there is no such path$/, $_, '/x')
        for qw(PUT DELETE HEAD POST);
    $api->refused(404, 'not_found', qr/^single events need a zone with a sto/,
                  'GET', '/events/' . uuid());
    $api->refused(404, 'not_found', qr/^single events need a zone with a sto/,
                  'POST', '/events/' . uuid() . '/replay', '');
};


subtest 'rows that there are not' => sub {
    for (['pushes', 'push'], ['connections', 'connection'],
         ['companies', 'company'])
    {
        my ($list, $one) = @$_;
        $api->refused(404, 'not_found', qr/^this $one is not known$/, 'GET',
                      "/$list/$_")
            for uuid(), 'x', 'x' x 257, 'x' x 300, '%01%ff', 'a/b', 'a%2Fb',
                'a/', uuid() . '/x';
        $api->refused(404, 'not_found', qr/^this $one is not known$/, 'HEAD',
                      "/$list/" . uuid());
    }

    $api->refused(404, 'not_found', qr/^this company is not known$/, 'GET',
                  "/companies/$key");
    $api->refused(404, 'not_found', qr/^this push is not known$/, 'DELETE',
                  '/pushes/' . $_) for 'x' x 257, 'a/b', "$key/";
};


subtest 'methods' => sub {
    my $allow = sub {
        my ($allowed, $path, @methods) = @_;
        for my $method (@methods) {
            my $response = $api->refused(405, 'method_not_allowed',
                qr/^the methods of this path are $allowed$/, $method, $path,
                $method =~ /^P/ ? '{}' : undef);
            is($response->header('allow'), $allowed, "$method $path: Allow");
        }
    };

    $allow->('GET, HEAD', $_, qw(PUT POST DELETE PATCH OPTIONS PROPFIND XX))
        for '/', '/health', '/metrics', '/pushes', '/connections', '/companies',
            '/events', "/connections/$key", '/companies/x';
    $allow->('GET, HEAD, PUT, DELETE', "/pushes/$key",
             qw(POST PATCH OPTIONS MKCOL));
};


subtest 'arguments' => sub {
    my $query = sub {
        my ($detail, @paths) = @_;
        $api->refused(400, 'invalid_query', $detail, 'GET', $_) for @paths;
    };

    for my $arg (qw(x Limit wait=1 state=dead eventType=a companyID=1)) {
        my $name = $arg =~ s/=.*//r;
        $query->(qr/^the argument "$name" is unknown here, or repeated$/,
                 "/pushes?$arg");
    }
    $query->(qr/^the argument "\?\?" is unknown/, '/pushes?%22%0a=1');
    $query->(qr/^the argument "x{32}" is unknown/,
             '/pushes?' . 'x' x 999 . '=1');
    $query->(qr/^the argument "" is unknown/, '/pushes?=1');
    $query->(qr/^the argument "x" is unknown/, '/pushes?x=', '/events?x',
             "/pushes/$key?x=");
    $query->(qr/^the argument "\+status" is unknown/, '/pushes?%2bstatus=x');
    $query->(qr/^the argument " status" is unknown/, '/pushes?+status=x');
    $query->(qr/^the argument "limit" is unknown/, "/pushes/$key?limit=1",
             "/pushes/$key?limit=", '/pushes?limit=1&limit=1',
             "/companies/$key?limit=1", '/pushes?limit=1&&%6cimit=2');
    $query->(qr/^the argument "status" is unknown/, '/companies?status=x',
             '/events?status=x');
    $query->(qr/^the argument "reference" is unknown/,
             '/connections?reference=x');
    $query->(qr/^the argument "companyId" is unknown/,
             '/companies?companyId=x');
    $query->(qr/^the argument "wait" is unknown/, "/companies/$key?wait=1");

    $query->(qr/^the argument "(\w+)" is too long$/,
             '/pushes?companyId=' . 'x' x 257,
             '/pushes?reference=' . 'x' x 1025,
             '/pushes?status=' . 'x' x 33, '/pushes?after=' . '0' x 65,
             '/pushes?limit=' . '1' x 17);
    $query->(qr/^the argument "(\w+)" has a "%" without two hexadecimal/,
             '/pushes?companyId=%', '/pushes?companyId=%1',
             '/pushes?companyId=%1g', '/pushes?companyId=a%zz',
             '/pushes?status=%&x');

    $query->(qr/^the argument "limit" is a number from 1 up$/,
             map { "/pushes?limit=$_" } qw(0 -1 1.5 x 1x +1 %201 000));
    $query->(qr/^the argument "wait" is a number of seconds$/,
             map { "/pushes/$key?wait=$_" } 'x', '-1', '1s', '1.5', '+1', '1' x 30 . 'x');
    $query->(qr/^the argument "status" is one of Pending, Success, Failed, /,
             map { "/pushes?status=$_" } qw(x Linked Pendin));
    $query->(qr/^the argument "status" is one of PendingAuth, Linked, Unlin/,
             map { "/connections?status=$_" } qw(x Success linke));
    $query->(qr/^the argument "state" needs a zone with a store$/,
             '/events?state=dead');
    $query->(qr/^the pattern in the argument "eventType" /,
             map { "/events?eventType=$_" } 'a..b', '.a', 'a.', 'a*b', 'a,,b', ',', 'a,');

    is($api->request('GET', $_)->status, 200, $_)
        for '/pushes?', '/pushes?&&', '/pushes?limit=007&',
            '/pushes?status=%50ending', "/pushes/$key?wait=0",
            '/pushes?reference=a+b&companyId=a%26b%3d', '/events?eventType=*';
};


# forms and clients send filters that were not filled in

subtest 'empty arguments are as if not given' => sub {
    my %want = map { $_ => $api->get($_) } '/pushes', '/connections',
        '/companies', '/events', "/pushes/$key";

    for my $path ('/pushes?status=&companyId=&reference=&limit=&after=',
                  '/pushes?limit', '/pushes?limit=&limit=100&limit=',
                  '/connections?companyId=&status=&limit=&after=',
                  '/companies?limit=&after',
                  '/events?eventType=&companyId=&state=&limit=&after=',
                  "/pushes/$key?wait=", "/pushes/$key?wait")
    {
        is_deeply($api->get($path), $want{$path =~ s/\?.*//r}, $path);
    }
};


subtest 'what probes ask for has no arguments' => sub {
    for my $path ('/', '/health', '/metrics') {
        for my $args ('?_=1732256521', '?limit=0&limit=1', '?wait=x', '?%',
                      '?' . 'x' x 999, '?=&&')
        {
            is($nginx->request('GET', "/codat$path$args")->status, 200,
               "GET $path" . substr($args, 0, 20));
        }
        is($nginx->request('HEAD', "/codat$path?x=1")->status, 200,
           "HEAD $path?x=1");
    }
};


subtest 'cursors' => sub {
    my $cursor = sub {
        my ($detail, @paths) = @_;
        $api->refused(400, 'invalid_cursor', $detail, 'GET', $_) for @paths;
    };

    $api->request('PUT', '/pushes/' . uuid(),
                  '{"companyId":"c","reference":"r"}') for 1 .. 3;
    $api->hook(body('connection.created', connection => uuid(),
                    company => uuid())) for 1 .. 3;

    my %next = map { $_ => $api->get("/$_")->{next} // die $_ }
        'pushes?limit=1', 'pushes?limit=1&companyId=c',
        'pushes?limit=1&reference=r', 'connections?limit=1',
        'companies?limit=1', 'events?limit=1';

    for my $from (sort keys %next) {
        is($api->request('GET', "/$from&after=$next{$from}")->status, 200,
           "$from: goes on");

        for my $to (grep { $_ ne $from } sort keys %next) {
            $cursor->(qr/^"after" is not the "next" of a list /,
                      "/$to&after=$next{$from}");
        }

        # of another zone, or of a time before a restart
        my $other = $next{$from} =~ s/^(e?)(.)/$1 . ($2 eq 'a' ? 'b' : 'a')/er;
        $cursor->(qr/^the cursor in "after" is of another zone, or older /,
                  "/$from&after=$other");

        my $bad = substr($next{$from}, 0, -1);
        $cursor->(qr/^"after" is not the "next" of a list /,
                  map { "/$from&after=$_" } $bad, "${bad}x", "${bad}00",
                  '0', 'null', 'x' x length $next{$from},
                  $from =~ /^events/
                      ? substr($next{$from}, 0, 9) . '0' x 16 : ());
    }
};


subtest 'the body is too large' => sub {
    my $big = '{"reference":"' . 'x' x 20000 . '"}';

    for my $opt ([], [chunked => 999], [expect => 1]) {
        $nginx->mark;
        my $response = $nginx->request('PUT', '/codat/pushes/big', {}, $big,
                                       @$opt);
        is($response->status, 413, "@$opt: status");
        is($response->header('content-type'), 'application/problem+json',
           'media type');
        is($response->json->{code}, 'body_too_large', 'code');
        like($response->json->{detail}, qr/client_max_body_size/, 'detail');
        is($response->header('cache-control'), 'no-store', 'Cache-Control');
        is($response->header('content-length'), length $response->body,
           'Content-Length');

        my $log = $nginx->error_log;
        is(scalar(() = $log =~ /codat: status request refused, code: body_/g),
           1, 'logged');
    }

    is($nginx->request('PUT', '/small/pushes/big', {}, ' ' x 21)->status, 413,
       'of that location');
    is($nginx->request('PUT', '/small/pushes/big', {}, '{}')->status, 201,
       'a smaller one');
    is($nginx->request('GET', '/small/health', {}, 'x' x 30)->status, 413,
       'also where no body is wanted');
};


subtest 'access, pages' => sub {
    my $response = $nginx->request('GET', '/denied/health');
    is($response->status, 403, 'denied');

    $response = $nginx->request('GET', '/paged/pushes/none');
    is($response->status, 404, 'problems are answers: no error_page');
    is($response->json->{code}, 'not_found', 'code');
};


subtest 'after what was refused the connection goes on' => sub {
    my $client = $nginx->client;

    for my $body ('x' x 5000, '{}') {
        for my $opt ([], [chunked => 100]) {
            my $response = $client->request('POST', '/codat/pushes', {},
                                            $body, @$opt)
                // die $client->error;
            is($response->status, 405, 'refused');
            is($client->request('GET', '/codat/health')->status, 200,
               'the next one');
        }
    }
};


# the core says [error] of bodies and of access

$api->done(except => qr/too large.* body|forbidden by rule/);
done_testing();

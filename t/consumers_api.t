# The consumer API: what clients can ask for, who may, and what they are told.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;
use Time::HiRes qw(time sleep);

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $http2 = `$binary -V 2>&1` =~ /--with-http_v2_module/ ? 'http2' : '';

my $t = CodatTest::Consumers->new(key => 0, http => <<"EOH", server => <<'EOC');
    server { listen 127.0.0.1:{{port1}} $http2;
             location /hooks/ { codat_consumers zone=codat; } }
EOH
    location /other/ { codat_consumers zone=codat; codat_client one TWO;
                       client_max_body_size 1k; }
    location = /other/webhooks/integrationKeys/zapier { return 403; }
    location /short { codat_consumers zone=codat; }
    location /elsewhere/ { rewrite ^/elsewhere(/.*) $1 break;
                           codat_consumers zone=codat; }
    location /a/webhooks { codat_consumers zone=codat; }
    location /staff/ {
        codat_consumers zone=codat;
        location = /staff/webhooks/integrationKeys/zapier {
            codat_consumers zone=codat;
            auth_basic staff;
            auth_basic_user_file {{prefix}}/conf/staff;
        }
    }
EOC
my $nginx = $t->nginx;
$nginx->file('conf/staff', "anna:{PLAIN}secret\n", 0644);
my $uuid = qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
my $url = 'https://hooks.example.com/x';


# an error object, and nothing else

sub refused {
    my ($said, $status, $error, $name, $item) = @_;

    is($t->{status}, $status, "$name: status");
    is_deeply([sort keys %$said], [sort qw(statusCode service error
        correlationId validation canBeRetried detailedErrorCode)],
        "$name: the members of an error");
    is($said->{statusCode}, $status, "$name: statusCode");
    is($said->{service}, 'nginx', "$name: service");
    like($said->{error}, $error, "$name: error");
    like($said->{correlationId}, qr/^[0-9a-f]{32}$/, "$name: correlationId");
    is($said->{canBeRetried}, $status == 503 ? 'True' : 'False',
       "$name: canBeRetried");
    is($said->{detailedErrorCode}, 0, "$name: detailedErrorCode");
    is_deeply($said->{validation}, $item
        ? { errors => [{ itemId => $item, message => $said->{error},
                         validatorName => 'nginx' }], warnings => [] }
        : undef, "$name: validation");
    is($t->{answer}->header('content-type'), 'application/json',
       "$name: media type");
    is($t->{answer}->header('cache-control'), 'no-store',
       "$name: not to be kept");
}


sub basic_of { return 'Basic ' . encode_base64($_[0], '') }


subtest 'before there is a key' => sub {
    my $any = 'sk_integ_' . 'x' x 43;

    refused($t->call(GET => 'webhooks', undef, Authorization => "Bearer $any"),
            401, qr/^there is no integration key yet$/, 'any key');
    refused($t->call(GET => 'webhooks', undef, Authorization => 'Bearer x'),
            401, qr/^what is shown is no integration key$/, 'no key at all');
    refused($t->call(GET => 'webhooks', undef, Authorization => undef),
            401, qr/^there is no Authorization$/, 'no key');
    like($t->{answer}->header('www-authenticate'), qr/^Basic .*, Bearer /,
         'the schemes');
};


subtest 'keys' => sub {
    my $key = $t->rotate;
    like($key, qr/^sk_integ_[A-Za-z0-9_-]{43}$/, 'a key');

    my $file = $nginx->prefix . '/codat.db';
    for my $name (glob("$file*")) {
        open(my $fh, '<:raw', $name) or die;
        local $/;
        unlike(<$fh>, qr/\Q$key/, 'is not in ' . ($name =~ s{.*/}{}r));
    }

    for my $good (basic_of($key), basic_of("$key:"), basic_of("id-1:$key"),
                  "Bearer $key", 'bearer ' . $key) {
        $t->call(GET => 'webhooks', undef, Authorization => $good);
        is($t->{status}, 200, ($good =~ s/ .*//r) . ': 200');
    }

    my $other = $key =~ s/.$/substr($&, 0, 1) eq 'A' ? 'B' : 'A'/er;
    for my $bad (basic_of($other), "Bearer $other", basic_of("x$key"), basic_of("$key:x"), basic_of(":"),
                 basic_of(''), basic_of("a:b:$key"), 'Basic', 'Basic !!!',
                 'Bearer ', 'Bearer x', "Digest $key", $key,
                 basic_of("\0$key"), basic_of(substr($key, 0, -1))) {
        $t->call(GET => 'webhooks', undef, Authorization => $bad);
        is($t->{status}, 401, 'another one: 401');
    }

    my $next = $t->rotate;
    isnt($next, $key, 'the next key is another one');
    for (1 .. 8) {      # in whichever worker
        $t->call(GET => 'webhooks', undef, Authorization => basic_of($key));
        is($t->{status}, 401, 'the one before is dead');
        $t->call(GET => 'webhooks');
        is($t->{status}, 200, 'the next one lives');
    }

    $t->call(GET => 'webhooks/integrationKeys/zapier');
    is($t->{status}, 405, 'a key is not shown');
    is($t->{answer}->header('allow'), 'POST', 'but made');

    ok($nginx->reload, 'reload');
    $t->call(GET => 'webhooks');
    is($t->{status}, 200, 'it is still the key');
    unlike($nginx->error_log, qr/\Q$key\E|\Q$next\E/, 'no key in the log');
};


my $made;

subtest 'a consumer is made, listed, read, and gone' => sub {
    is_deeply($t->call(GET => 'webhooks'), { results => [] }, 'none');

    $made = $t->call(POST => 'webhooks', {
        url => $url, eventTypes => ['invoices.write.successful'] });
    is($t->{status}, 201, 'made');
    like($made->{id}, $uuid, 'id');
    is($made->{url}, $url, 'url');
    is($made->{disabled}, JSON::PP::false, 'disabled');
    is_deeply($made->{eventTypes}, ['invoices.write.successful'],
              'eventTypes');
    is_deeply($made->{companyTags}, [], 'companyTags');
    is($made->{format}, 'codat', 'format');
    is($made->{rateLimit}, undef, 'rateLimit');
    like($made->{createdOn}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'createdOn');
    like($made->{secret}, qr/^whsec_/, 'secret');
    is(length decode_base64($made->{secret} =~ s/^whsec_//r), 32,
       'of 32 bytes');
    is($t->{answer}->header('cache-control'), 'no-store', 'not to be kept');

    my %shown = %$made;
    delete $shown{secret};
    is_deeply($t->call(GET => 'webhooks'), { results => [\%shown] },
              'listed, without the secret');
    is($t->{status}, 200, 'status');
    is_deeply($t->call(GET => 'webhooks/'), { results => [\%shown] },
              'listed, with a slash behind it');
    is_deeply($t->call(GET => "webhooks/$made->{id}"), \%shown, 'read');
    is_deeply($t->call(GET => 'webhooks/' . uc $made->{id}), \%shown,
              'in capitals');

    $t->call(HEAD => 'webhooks');
    is($t->{status} . $t->{answer}->body, '200', 'HEAD');

    $t->call(DELETE => "webhooks/$made->{id}");
    is($t->{status}, 204, 'gone');
    is($t->{answer}->body, '', 'without a body');
    refused($t->call(DELETE => "webhooks/$made->{id}"), 404,
            qr/^this consumer is not known$/, 'gone before');
    refused($t->call(GET => "webhooks/$made->{id}"), 404,
            qr/^this consumer is not known$/, 'not to be read');
    is_deeply($t->call(GET => 'webhooks'), { results => [] }, 'none');
};


subtest 'all that can be said of one' => sub {
    my $secret = new_secret();
    my $tags = ['region:uk', 'region:"x"', "n\x{e9}:\x{2713}", 'a:b:c'];

    $made = $t->create(disabled => JSON::PP::true, companyTags => $tags,
                       format => 'cloudevents', rateLimit => 5,
                       secret => $secret, description => 'ignored');
    is($t->{status}, 201, 'made');
    is($made->{disabled}, JSON::PP::true, 'disabled');
    is($made->{disabledReason}, 'request', 'why');
    ok($made->{disabledOn}, 'and when');
    is_deeply($made->{companyTags}, $tags, 'companyTags');
    is($made->{format}, 'cloudevents', 'format');
    is($made->{rateLimit}, 5, 'rateLimit');
    is($made->{secret}, $secret, 'secret');

    my %want = %$made;
    delete $want{secret};
    is_deeply($t->call(GET => "webhooks/$made->{id}"), \%want, 'is kept');

    my $got = $t->create(map { $_ => undef }
        qw(disabled companyTags format rateLimit secret));
    is($t->{status}, 201, 'null is as if it were not there');
    is_deeply([@$got{qw(disabled format rateLimit)}],
              [JSON::PP::false, 'codat', undef], 'the same values');
    $t->call(DELETE => "webhooks/$got->{id}");

    $got = $t->call(POST => 'webhooks', qq[{"URL":"$url","EVENTTYPES":["*"],]
                    . qq["url":"$url/2"}]);
    is($got->{url}, "$url/2", 'names in any case, the last one counts');
    $t->call(DELETE => "webhooks/$got->{id}");
};


subtest 'a consumer is changed' => sub {
    my $path = "webhooks/$made->{id}";
    my %want = %{$t->call(GET => $path)};

    for my $case ([url => 'https://hooks.example.com/y'],
                  [eventTypes => ['connection.*']],
                  [companyTags => ['a:b']], [companyTags => []],
                  [format => 'codat'], [format => 'cloudevents'],
                  [rateLimit => 7], [rateLimit => undef]) {
        my ($name, $value) = @$case;
        my $got = $t->call(PATCH => $path, { $name => $value });

        is($t->{status}, 200, "$name: 200");
        $want{$name} = $value;
        is_deeply($got, \%want, "$name is changed, and it alone");
        is_deeply($t->call(GET => $path), \%want, "$name is kept");
    }

    my $got = $t->call(PATCH => $path, { disabled => JSON::PP::false });
    delete @want{qw(disabledOn disabledReason)};
    is_deeply($got, { %want, disabled => JSON::PP::false }, 'enabled');
    $got = $t->call(PATCH => $path, { disabled => JSON::PP::true });
    is("$got->{disabled} $got->{disabledReason}", '1 request', 'disabled');

    refused($t->call(PATCH => $path, {}), 400, qr/nothing/, 'nothing');
    refused($t->call(PATCH => $path, { x => 1 }), 400, qr/nothing/,
            'something else');
    refused($t->call(PATCH => $path, { secret => new_secret() }), 400,
            qr/rotateSecret/, 'the secret', 'secret');
    refused($t->call(PATCH => $path, { eventTypes => undef }), 400,
            qr/^"eventTypes" is required/, 'no types', 'eventTypes');
    refused($t->call(PATCH => $path, { url => undef }), 400,
            qr/^"url" is required/, 'no url', 'url');
    refused($t->call(PATCH => 'webhooks/' . uuid(), { disabled => undef }),
            404, qr/^this consumer is not known$/, 'another one');
    is_deeply($t->call(GET => $path), $got, 'nothing of it is changed');

    my $rotated = $t->call(POST => "$path/rotateSecret");
    is($t->{status}, 200, 'a new secret');
    like($rotated->{secret}, qr/^whsec_/, 'is shown');
    isnt($rotated->{secret}, $made->{secret}, 'and is another one');
    is($rotated->{id}, $made->{id}, 'of the same consumer');
    $t->call(POST => 'webhooks/' . uuid() . '/rotateSecret');
    is($t->{status}, 404, 'of none');
};


subtest 'types of events' => sub {
    my @cases = (
        ['*', '*'], ['connection.*', 'connection.*'],
        ['*.write.*', '*.write.*'],
        ['invoices.write.successful', 'invoices.write.successful'],
        ['Invoices.Write.Successful', 'invoices.write.successful'],
        ['bill.write.successful', 'bills.write.successful'],
        ['report.creditModel.generate.successful',
         'reports.creditModel.generate.successful'],
        ['Data sync completed', 'read.completed'],
        ['DataSyncCompleted', 'read.completed'],
        ['New company synchronised', 'read.completed.initial'],
        ['Push Operation Status Changed()', '*.write.*'],
        ['PushOperationTimedOut', '*.write.unsuccessful'],
        ['Company data connection status changed', 'connection.*'],
        ['ClientRateLimitReached', 'client.rateLimit.reached'],
        ['AccountCategoriesUpdated', 'AccountCategoriesUpdated'],
        ['codat.consumer.disabled', 'codat.consumer.disabled'],
        ['widgets.painted', 'widgets.painted'],
        ['a-b_c.1', 'a-b_c.1'],
    );

    for my $case (@cases) {
        my $got = $t->create(eventTypes => [$case->[0]]);
        is_deeply($got->{eventTypes}, [$case->[1]], $case->[0]);
        $t->call(DELETE => "webhooks/$got->{id}");
    }

    my $got = $t->create(eventTypes => ['DataSyncCompleted',
        'Dataset data changed', 'read.completed', 'company.created']);
    is_deeply($got->{eventTypes}, ['read.completed', 'company.created'],
              'each but once');
    $t->call(DELETE => "webhooks/$got->{id}");
};


subtest 'what is refused' => sub {
    my $long = 'x' x 257;
    my @cases = (
        ['no url', { eventTypes => ['*'] }, 'url', qr/^"url" is required$/],
        ['no types', { url => $url }, 'eventTypes', qr/ is required$/],
        (map { ['url', { url => $_->[0] }, 'url', $_->[1]] }
            [1, qr/is required, as a string/], ['', qr/is required/],
            ['hooks.example.com', qr/^"url" /], ['ftp://a.b/', qr/^"url" /],
            ['http://hooks.example.com/', qr/^"url" /],
            ['https://u:p@hooks.example.com/', qr/^"url" /],
            ['https://hooks.example.com:8443/', qr/^"url" /],
            ['https://127.0.0.1/', qr/^"url" /],
            ['https://[::1]/', qr/^"url" /],
            ['https://localhost/', qr/^"url" /],
            ["https://a.b/\r\nX: y", qr/^"url" /],
            ["https://a.b/" . 'x' x 2048, qr/^"url" /]),
        (map { ['eventTypes', { eventTypes => $_->[0] }, 'eventTypes',
                $_->[1]] }
            ['*', qr/array/], [{}, qr/array/], [[], qr/has no entry/],
            [[1], qr/array of strings/], [[undef], qr/array of strings/],
            [[''], qr/empty segment/], [['a..b'], qr/empty segment/],
            [['a b'], qr/no type/], [["a\nb"], qr/no type/],
            [["a\x{e9}b"], qr/no type/], [['a*'], qr/whole segment/],
            [[$long], qr/too long/],
            [[map { "a.$_" } 1 .. 101], qr/too many/]),
        (map { ['companyTags', { companyTags => $_->[0] }, 'companyTags',
                $_->[1]] }
            ['a:b', qr/array/], [['a'], qr/key:value/],
            [[':b'], qr/key:value/], [['a:'], qr/key:value/],
            [["a:b\nc"], qr/control/], [['a:' . 'x' x 127], qr/too long/],
            [[map { "a:$_" } 1 .. 11], qr/too many/]),
        (map { ['disabled', { disabled => $_ }, 'disabled', qr/true/] }
            0, 'true', []),
        (map { ['format', { format => $_ }, 'format', qr/cloudevents/] }
            'raw', '', 1),
        (map { ['rateLimit', { rateLimit => $_ }, 'rateLimit', qr/number/] }
            0, -1, 1.5, 10001, '5'),
        (map { ['secret', { secret => $_ }, 'secret', qr/whsec_/] }
            'x', 'whsec_', 'whsec_' . encode_base64('x' x 23, ''),
            'whsec_' . encode_base64('x' x 65, ''), 'whsec_!', 1),
    );

    for my $case (@cases) {
        my ($name, $body, $item, $error) = @$case;
        $body = { url => $url, eventTypes => ['*'], %$body }
            unless $name =~ /^no /;
        refused($t->call(POST => 'webhooks', $body), 400, $error, $name,
                $item);
    }

    for my $case (['', qr/at byte 0/], ['{', qr/at byte/],
                  ['[]', qr/not an object/], ['"x"', qr/not an object/],
                  ["{\"url\":\"\xff\"}", qr/at byte 8/],
                  ['{} {}', qr/at byte/]) {
        refused($t->call(POST => 'webhooks', $case->[0]), 400, $case->[1],
                "'$case->[0]'");
    }

    refused($t->call(POST => 'webhooks', ' ' x 16385), 413,
            qr/larger than 16384 bytes/, 'a long body');
    $t->create(padding => 'x' x 15000);
    is($t->{status}, 201, 'a body that is not too long');
    for my $encoding ('identity', 'Identity') {
        $t->call(POST => 'webhooks', { url => $url, eventTypes => ['*'] },
                 'Content-Encoding' => $encoding);
        is($t->{status}, 201, "Content-Encoding: $encoding");
    }
    refused($t->call(POST => 'webhooks', '{}', 'Content-Encoding' => 'zstd'),
            415, qr/Content-Encoding/, 'another one');
    refused($t->call(POST => 'webhooks', '{}', 'Content-Encoding' => 'gzip'),
            415, qr/Content-Encoding/, 'gzip');

    my $answer = $nginx->client(timeout => 20)->request('POST',
        '/hooks/webhooks', { Authorization => basic_of($t->{key}) },
        '{"x":"' . 'x' x 17000 . '"}', chunked => 1000, close => 1);
    is($answer->status, 413, 'a long one in chunks');
    like($answer->json->{error}, qr/16384/, 'says why');
};


subtest 'paths and methods' => sub {
    my $id = uuid();

    for my $path ('', 'x', 'webhooksx', 'webhooks/x',
                  'webhooks/integrationKeys', 'webhooks/integrationKeys/x',
                  "webhooks/$id/x", "webhooks/$id/replay/x",
                  "webhooks/${id}x", 'webhooks/' . $id =~ tr/-/0/r,
                  'webhooks/samples/x', 'webhooks/g' . substr($id, 1)) {
        refused($t->call(GET => $path), 404, qr/^there is no such path$/,
                "/$path");
    }

    for my $case (['webhooks', 'PUT', 'GET, HEAD, POST'],
                  ['webhooks', 'DELETE', 'GET, HEAD, POST'],
                  ["webhooks/$id", 'POST', 'GET, HEAD, PATCH, DELETE'],
                  ["webhooks/$id", 'PUT', 'GET, HEAD, PATCH, DELETE'],
                  ["webhooks/$id/replay", 'GET', 'POST'],
                  ["webhooks/$id/rotateSecret", 'GET', 'POST'],
                  ['webhooks/samples', 'POST', 'GET, HEAD']) {
        my ($path, $method, $allow) = @$case;
        refused($t->call($method => $path, '{}'), 405, qr/\Q$allow/,
                "$method $path");
        is($t->{answer}->header('allow'), $allow, "$method $path: Allow");
    }

    my %auth = (Authorization => basic_of($t->{key}));
    for my $case (['/short/webhooks', 200], ['/short/x', 404],
                  ['/shortwebhooks', 404], ['/a/webhooks', 200],
                  ['/hooks/webhooks/', 200], ['/hooks/webhooks//', 200],
                  ['/elsewhere/webhooks', 404],
                  ['/a/webhooks/', 200], ['/a/webhooks/samples', 200],
                  ['/a/webhooksx', 404], ['/hooks/%77ebhooks', 200]) {
        my ($path, $status) = @$case;
        is($nginx->request('GET', $path, \%auth)->status, $status, $path);
    }
};


subtest 'clients' => sub {
    my $as = sub { (Authorization => basic_of("$_[0]:$t->{key}")) };
    my %body = (url => $url, eventTypes => ['*']);

    my $one = $t->call(POST => 'webhooks', \%body, $as->('one'));
    is($t->{status}, 201, 'made by a client');
    my $path = "webhooks/$one->{id}";

    my $ids = sub {
        return join(' ', grep { $_ eq $one->{id} }
                    map { $_->{id} } @{$t->call(GET => 'webhooks', undef, @_)
                                       ->{results}});
    };
    is($ids->($as->('one')), $one->{id}, 'it has it in its list');
    is($ids->($as->('ONE')), $one->{id}, 'in capitals too');
    is($ids->($as->('two')), '', 'another client has not');
    is($ids->(), $one->{id}, 'whoever names no client has');

    for my $case ([GET => $path], [PATCH => $path, { disabled => undef }],
                  [DELETE => $path], [POST => "$path/rotateSecret"],
                  [POST => "$path/replay", { since => '2026-01-01T00:00:00' }])
    {
        my ($method, $at, $with) = @$case;
        $t->call($method, $at, $with, $as->('two'));
        is($t->{status}, 404, "$method $at of another client");
    }
    $t->call(GET => $path, undef, $as->('one'));
    is($t->{status}, 200, 'it is still there');

    for my $case (['one', 200], ['ONE', 200], ['two', 200], ['three', 403]) {
        my $answer = $nginx->request('GET', '/other/webhooks',
                                     { $as->($case->[0]) });
        is($answer->status, $case->[1], "codat_client one TWO: $case->[0]");
        like($answer->json->{error}, qr/codat_client/, 'says why')
            if $case->[1] == 403;
    }
    is($nginx->request('GET', '/other/webhooks',
                       { Authorization => "Bearer $t->{key}" })->status, 200,
       'codat_client: no client');

    $t->call(DELETE => $path, undef, $as->('one'));
    is($t->{status}, 204, 'gone by its client');
};


subtest 'replay' => sub {
    my $consumer = $t->create(url => "$url/replay",
                              eventTypes => ['items.write.*']);
    my $path = "webhooks/$consumer->{id}";
    my $since = sub { { since => $_[0] } };

    for my $case (['{}'], ['{"since":null}'], ['{"since":1}'],
                  ['{"since":"yesterday"}'], ['{"since":""}']) {
        refused($t->call(POST => "$path/replay", $case->[0]), 400,
                qr/^"since" is a time such as/, $case->[0], 'since');
    }
    refused($t->call(POST => "$path/replay", '['), 400, qr/at byte/, '[');

    is_deeply($t->call(POST => "$path/replay",
                       $since->('2020-01-01T00:00:00Z')), { count => 0 },
              'nothing has happened');
    is($t->{status}, 202, 'status');

    $t->call(PATCH => $path, { disabled => JSON::PP::true });
    for my $type (('items.write.successful') x 3, 'bills.write.successful') {
        is($t->event(body($type, id => uuid())), 200, $type);
    }
    refused($t->call(POST => "$path/replay",
                     $since->('2020-01-01T00:00:00Z')), 409,
            qr/disabled/, 'of one that is disabled');

    # who gets an event is said a little later than it is accepted
    my $left = 'SELECT count(*) FROM event WHERE fanout = 1';
    my $until = time + slow(10);
    my $db = $nginx->prefix . '/codat.db';
    sleep(0.05) while qx(sqlite3 $db '.timeout 5000' '$left') != 0
                      && time < $until;

    $t->call(PATCH => $path, { disabled => JSON::PP::false });
    is_deeply($t->call(POST => "$path/replay",
                       $since->('2099-01-01T00:00:00+02:00')),
              { count => 0 }, 'from a time that is to come');
    is_deeply($t->call(POST => "$path/replay",
                       $since->('2020-01-01T00:00:00')),
              { count => 3 }, 'what it asks for is sent');
    is_deeply($t->call(POST => "$path/replay",
                       $since->('2020-01-01T00:00:00')),
              { count => 0 }, 'but not twice, while it is on its way');

    refused($t->call(POST => 'webhooks/' . uuid() . '/replay',
                     $since->('2020-01-01T00:00:00Z')), 404,
            qr/^this consumer is not known$/, 'of none');
    $t->call(DELETE => $path);
};


subtest 'a long list' => sub {
    my @ids = map { $_->{id} } @{$t->call(GET => 'webhooks')->{results}};
    push @ids, map { $t->create(url => "$url/$_")->{id} } 1 .. 450;

    my $got = $t->call(GET => 'webhooks')->{results};
    is(join(' ', map { $_->{id} } @$got), join(' ', @ids),
       'all of them, in the order of their making');
    is($t->{answer}->header('content-length'), length $t->{answer}->body,
       'with a length');
    $t->call(DELETE => "webhooks/$_") for @ids;
    is_deeply($t->call(GET => 'webhooks'), { results => [] }, 'none');
};


subtest 'a body that is longer than client_max_body_size' => sub {
    my $answer = $nginx->request('POST', '/other/webhooks',
        { Authorization => "Bearer $t->{key}" }, 'x' x 1025);
    is($answer->status, 413, 'refused');
    is($answer->header('content-type'), 'application/json', 'media type');
    is($answer->json->{statusCode}, 413, 'an error object');
    like($answer->json->{error}, qr/client_max_body_size/, 'says why');
};


subtest 'keys under access rules' => sub {
    my $path = '/staff/webhooks/integrationKeys/zapier';

    for my $case ([''], ["Authorization: Bearer $t->{key}\n"],
                  ['Authorization: ' . basic('anna', 'x') . "\n"]) {
        my $answer = $nginx->request('POST', $path, $case->[0], '');
        is($answer->status, 401, 'a stranger');
        unlike($answer->body, qr/sk_integ/, 'gets no key');
    }
    $t->call(GET => 'webhooks');
    is($t->{status}, 200, 'the key is still the same');

    my $answer = $nginx->request('POST', $path,
        { Authorization => basic('anna', 'secret') }, '');
    is($answer->status, 201, 'somebody who may');
    $t->call(GET => 'webhooks');
    is($t->{status}, 401, 'the old key is dead');
    $t->{key} = $answer->json->{key};
    $t->call(GET => 'webhooks');
    is($t->{status}, 200, 'the new one lives');
};


subtest 'HTTP/2' => sub {
    plan(skip_all => 'nginx without HTTP/2') unless $http2;

    my $curl = sub {
        my ($method, $path, $body) = @_;
        my $file = $nginx->file('body', $body // '');
        my $url = 'http://127.0.0.1:' . $nginx->port(1) . "/hooks/$path";
        my @command = ('curl', qw(-s --max-time 20 --http2-prior-knowledge
            --noproxy * -w), '\n%{http_code} %{http_version}', '-X', $method,
            '-H', "Authorization: Bearer $t->{key}",
            defined $body ? ('-T', '-') : (), $url);
        open(my $out, '-|', 'sh', '-c', 'f=$1; shift; exec "$@" < "$f"',
             'sh', $file, @command) or die;
        local $/;
        my ($said, $status) = <$out> =~ /^(.*)\n(.*)\z/s;
        return ($status, $said);
    };

    # a body whose length nobody says

    my ($status, $said) = $curl->(POST => 'webhooks',
        qq[{"url":"$url","eventTypes":["a.b"]}]);
    is($status, '201 2', 'made');
    my $id = JSON::PP->new->decode($said)->{id};
    like($id, $uuid, 'its id');
    is(($curl->(POST => 'webhooks', 'x' x 20000))[0], '413 2', 'too long');
    is(($curl->(DELETE => "webhooks/$id"))[0], '204 2', 'gone');
    is(($curl->(GET => "webhooks/$id"))[0], '404 2', 'not known');
};


# the key is looked at first, then the body is read

subtest 'bodies that come late' => sub {
    my %auth = (Authorization => "Bearer $t->{key}");
    my $body = qq[{"url":"$url/late","eventTypes":["a.b"]}];

    my $client = $nginx->client(timeout => 20);
    my $answer = $client->request('POST', '/hooks/webhooks', \%auth, $body,
                                  expect => 1);
    is($answer->status, 201, 'Expect: 100-continue');
    is(join(' ', $answer->interim), '100', 'it was asked for');
    $answer = $client->request('POST', '/hooks/webhooks',
        { Authorization => 'Bearer x' }, $body, expect => 1);
    is($answer->status, 401, 'of a stranger');
    is(join(' ', $answer->interim), '', 'it was not');
    $client->close;

    $client = $nginx->client(timeout => 20);
    my $text = $client->build('POST', '/hooks/webhooks', \%auth, $body);
    for my $part ($text =~ /\G(.{1,60})/gs) {
        $client->send($part);
        sleep(0.02);
    }
    is($client->read_response->status, 201, 'in pieces');

    $client->send($client->build('GET', '/hooks/webhooks', \%auth));
    $answer = $client->read_response;
    my @ids = map { $_->{id} } grep { $_->{url} eq "$url/late" }
        @{$answer->json->{results}};
    is(scalar @ids, 2, 'both are there');
    $t->call(DELETE => "webhooks/$_") for @ids;

    $client = $nginx->client;
    $client->send(substr($text, 0, -5));
    sleep(0.05);
    $client->abort;
    is(scalar(grep { $_->{url} eq "$url/late" }
              @{$t->call(GET => 'webhooks')->{results}}), 0,
       'half of one makes no consumer');
};


subtest 'one connection for several requests' => sub {
    my $client = $nginx->client(timeout => 20);
    my %auth = (Authorization => "Bearer $t->{key}");
    my $body = JSON::PP->new->encode({ url => $url, eventTypes => ['*'] });

    for my $case ([POST => '/hooks/webhooks', $body, 201],
                  [GET => '/hooks/webhooks', 'unasked for', 200],
                  [POST => '/hooks/webhooks', '{', 400],
                  [PUT => '/hooks/webhooks', $body, 405],
                  [GET => '/hooks/webhooks', undef, 200],
                  [POST => '/hooks/x', $body, 404],
                  [DELETE => '/hooks/webhooks/' . uuid(), $body, 404],
                  [GET => '/hooks/webhooks', undef, 200]) {
        my ($method, $uri, $with, $status) = @$case;
        my $answer = $client->request($method, $uri, \%auth, $with);
        is($answer && $answer->status, $status, "$method $uri");
    }
    $client->close;
};


ok($nginx->wait_idle, 'no request is left');
ok($nginx->stop, 'nginx stops');
no_bad_log($nginx);



subtest 'a store that does not answer' => sub {
    $t = CodatTest::Consumers->new;
    my $nginx = $t->nginx;

    ok($nginx->stop, 'nginx stops');
    my $db = $nginx->prefix . '/codat.db';
    is(qx(sqlite3 $db 'PRAGMA user_version = 999' 2>&1), '',
       'the database is of a version that is to come');
    $nginx->start;

    for my $case ([GET => 'webhooks'], [POST => 'webhooks', '{}'],
                  [GET => 'webhooks/samples'],
                  [POST => 'webhooks/integrationKeys/zapier', '']) {
        my ($method, $path, $body) = @$case;
        refused($t->call($method, $path, $body), 503,
                qr/^the store does not answer at present$/, "$method $path");
        is($t->{answer}->header('retry-after'), 5,
           "$method $path: Retry-After");
    }

    ok($nginx->stop, 'nginx stops');
};


done_testing();

# The status API: pushes that are registered and forgotten by hand

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Status;
use Test::More;

my $api = CodatTest::Status->new(server => '
    location /file/ { codat_status zone=codat;
                      client_body_in_file_only clean; }
    location /tiny/ { codat_status zone=codat; client_body_buffer_size 16; }
    location /old/ { rewrite ^/old/(.*)$ /codat/$1 last; }
');
my $nginx = $api->nginx;
my ($company, $connection) = (uuid(), uuid());

my $full = <<"EOB";
 {"reference": "expense \\"17\\" \\u00e4", "companyId":"$company",
  "connectionId" : "$connection", "dataType":"invoices"} 
EOB

sub row { $api->get("/pushes/$_[0]") }


# without the time, which is checked

sub plain {
    my %row = %{shift()};

    like(delete $row{updatedOn}, qr/^20\d\d-.*\.\d\d\dZ$/, 'updatedOn');

    return \%row;
}


sub member { my ($name, $value) = @_; qq({"$name":$value}) }


subtest 'new, then known' => sub {
    my $key = uuid();
    my $want = {
        pushOperationKey => $key, status => 'Pending',
        final => JSON::PP::false, companyId => $company,
        connectionId => $connection, dataType => 'invoices',
        reference => "expense \"17\" \xe4",
    };

    my $response = $api->request('PUT', "/pushes/$key", $full);
    is($response->status, 201, 'new: status');
    is($response->header('location'), "/codat/pushes/$key", 'Location');
    is($response->header('content-length'), length $response->body,
       'Content-Length');
    is_deeply(plain($response->json), $want, 'the row');
    is_deeply(plain(row($key)), $want, 'the same later');

    $response = $api->request('PUT', '/pushes/' . uc $key,
                              '{"REFERENCE":"other","companyId":null}');
    is($response->status, 200, 'known: status');
    is($response->header('location'), undef, 'no Location');
    is_deeply(plain($response->json), { %$want, reference => 'other' },
              'what was not given stays');

    is_deeply([map { $_->{pushOperationKey} }
               @{$api->get('/pushes?reference=other')->{results}}], [$key],
              'found by its new reference');
    is_deeply($api->get('/pushes?reference=expense%20%2217%22%20%C3%A4'),
              { results => [], next => undef }, 'not by the old one');

    $response = $api->request('PUT', "/pushes/$key", '{}');
    is($response->status, 200, 'an empty object');
    is_deeply(plain($response->json), { %$want, reference => 'other' },
              'changes nothing');
};


subtest 'before and after the webhook' => sub {
    for my $order ('before', 'after') {
        my $key = uuid();
        my $event = body('bills.write.successful', push_key => $key,
                         company => $company, connection => $connection,
                         generated => '2024-01-02T03:04:05Z');

        $api->hook($event) if $order eq 'after';
        my $response = $api->request('PUT', "/pushes/$key",
                                     '{"reference":"bill-9"}');
        is($response->status, $order eq 'after' ? 200 : 201, $order);
        $api->hook($event) if $order eq 'before';

        my $row = row($key);
        is_deeply([@$row{qw(status final reference companyId dataType)}],
                  ['Success', JSON::PP::true, 'bill-9', $company, 'bills'],
                  "$order: the row has both");

        my ($one) = @{$api->get('/events?limit=1')->{results}};
        is($one->{data}{reference}, $order eq 'before' ? 'bill-9' : undef,
           "$order: the event's reference, as it was on arrival");
    }
};


subtest 'forgotten' => sub {
    my $key = uuid();
    $api->request('PUT', "/pushes/$key", member(reference => '"gone"'));

    my $response = $api->request('DELETE', "/pushes/$key");
    is($response->status, 204, 'status');
    is($response->body, '', 'no body');
    is($response->header($_), undef, "no $_")
        for qw(content-length transfer-encoding);

    $api->refused(404, 'not_found', qr/^this push is not known$/,
                  $_, "/pushes/$key") for qw(DELETE GET);
    is_deeply($api->get('/pushes?reference=gone')->{results}, [],
              'nor by its reference');

    is($api->request('PUT', "/pushes/$key", '{}')->status, 201, 'new again');
    is(row($key)->{reference}, undef, 'without its past');
};


subtest 'ways of a body' => sub {
    my $client = $nginx->client;
    my $n = 0;
    my $put = sub {
        my ($path, $headers, $body, %opt) = @_;
        my $key = 'way-' . ++$n;
        my $response = $client->request('PUT', "$path/pushes/$key", $headers,
                                        $body, %opt) // die $client->error;
        is($response->status, 201, "$key @{[%opt]}: status")
            or diag $response->body;
        is($response->json->{reference}, "expense \"17\" \xe4",
           "$key: reference");
        return $response;
    };

    for my $path ('/codat', '/file', '/tiny', '/old') {
        $put->($path, {}, $full);
        $put->($path, {}, $full, chunked => 5);
        is(join(' ', $put->($path, {}, $full, expect => 1)->interim), 100,
           "$path: 100 Continue");
    }

    $put->('/codat', { 'Content-Type' => $_ }, $full)
        for 'application/json', 'application/merge-patch+json; charset=utf-8',
            'APPLICATION/JSON', 'application/x-www-form-urlencoded';
    $put->('/codat', { 'Content-Encoding' => 'identity' }, $full);

    $put->('/old', {}, $full, version => '1.0');
    ok($client->closed, 'HTTP/1.0: closed');

    my $response = $nginx->request('PUT', '/old/pushes/way?', {}, '{}');
    is($response->header('location'), '/old/pushes/way',
       'Location is the path that the client knows');
};


subtest 'keys' => sub {
    for my $key ('a', 'a%20b', '%C3%A4', "x\"y", 'a..b', 'a+b', 'x' x 256,
                 'a/b', 'a%2Fb', 'a/', 'pushes/a', uuid() . '/1',
                 'x/' x 128)
    {
        my $plain = $key =~ s/%(..)/chr hex $1/ger;
        utf8::decode($plain);

        is($api->request('PUT', "/pushes/$key", '{}')->status, 201,
           "$key: new");
        is(row($key)->{pushOperationKey}, $plain, 'read');
        is($api->request('DELETE', "/pushes/$key")->status, 204, 'forgotten');
    }

    $api->refused(400, 'invalid_query', qr/^a key has at most 256 bytes$/,
                  'PUT', "/pushes/$_", '{}') for 'x' x 257, 'x/' x 129;
    $api->refused(404, 'not_found', qr/^a key is valid UTF-8$/, 'PUT',
                  '/pushes/%E4', '{}');
};


subtest 'lengths' => sub {
    my %max = (reference => 1024, companyId => 256, connectionId => 256,
               dataType => 128);

    for my $name (sort keys %max) {
        my $long = 'x' x $max{$name};
        my $key = uuid();

        is($api->request('PUT', "/pushes/$key",
                         member($name => qq("$long")))->status, 201,
           "$name of $max{$name} bytes");
        is(row($key)->{$name}, $long, 'all of it');

        $api->refused(400, 'invalid_body', qr/^the member "$name" is too/,
                      'PUT', "/pushes/$key", member($name => qq("x$long")));
        $api->refused(400, 'invalid_body', qr/^the member "$name" is empty$/,
                      'PUT', "/pushes/$key", member($name => '""'));
        $api->refused(400, 'invalid_body', qr/^the member "$name" is not a/,
                      'PUT', "/pushes/$key", member($name => $_))
            for 17, 'true', '[]', '{"x":1}';
        is(row($key)->{$name}, $long, 'nothing has changed');
    }
};


subtest 'bodies that are refused' => sub {
    my $put = sub {
        my ($code, $detail, $body) = @_;
        $api->refused(400, $code, $detail, 'PUT', '/pushes/none', $body);
    };

    $put->('malformed_json', qr/ at byte 0 of the body$/, '');
    $put->('malformed_json', qr/ at byte \d+ of the body$/, $_)
        for '{', '{"reference":}', '{} x', "{\"reference\":\"\xff\"}";
    $put->('invalid_body', qr/^the body is not an object$/, $_)
        for '[]', '"x"', 'null', '17';

    $put->('invalid_body', qr/^the member "status" is unknown$/,
           '{"reference":"a","status":"Success"}');
    $put->('invalid_body', qr/^the member "x\?y\?" is unknown$/,
           '{"companyId":"{\\"a\\",[","x\\u0022y\\n":[{"reference":1}]}');
    $put->('invalid_body', qr/^the member "refere" is unknown$/,
           '{"reference":"r","refere":{"reference":["a",{"b":2}]}}');
    $put->('invalid_body', qr/^the member "x{32}" is unknown$/,
           '{"' . 'x' x 500 . '":1}');

    $api->refused(400, 'malformed_json', qr/ at byte 0 of the body$/, 'PUT',
                  '/pushes/none', 'reference=a',
                  'Content-Type' => 'application/x-www-form-urlencoded');
    $api->refused(415, 'unsupported_media_type', qr/^Content-Encoding is/,
                  'PUT', '/pushes/none', '{}', 'Content-Encoding' => 'gzip');
    $api->refused(400, 'invalid_query', qr/^the argument "x" is unknown/,
                  $_, '/pushes/none?x=1', '{}') for 'PUT', 'DELETE';

    is($api->request('GET', '/pushes/none')->status, 404,
       'nothing was registered');
};


subtest 'repeated members: the last one counts' => sub {
    my $key = uuid();
    my $row = $api->request('PUT', "/pushes/$key",
        '{"reference":1,"Reference":"two","dataType":"a","dataType":null}')
        ->json;
    is($row->{reference}, 'two', 'reference');
    is($row->{dataType}, undef, 'dataType');
};


$api->done;
done_testing();

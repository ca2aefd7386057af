# The status API in subrequests (SSI, auth_request, addition) and over HTTP/2

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Status;
use Test::More;

my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $version = `$binary -V 2>&1`;

my ($major, $minor, $patch) = $version =~ m{ nginx/(\d+)\.(\d+)\.(\d+) }x
    ? ($1, $2, $3) : (1, 22, 1);
my $new = $major * 1e6 + $minor * 1e3 + $patch >= 1_025_001;
my $ssi = $version !~ /--without-http_ssi_module/;
my $addition = $version =~ /--with-http_addition_module/;
my $http2 = $version =~ /--with-http_v2_module/ && `nghttp --version`;

my $api = CodatTest::Status->new(size => '4m',
    http => $http2 ? '
        server {
            listen 127.0.0.1:{{port1}}' . ($new ? '; http2 on;' : ' http2;') . '
            location /codat/ { codat_status zone=codat; }
        }' : '',
    server => '
        location /pages/ { ' . ($ssi ? 'ssi on; ssi_types *;' : '') . '
                           default_type text/plain; }
        location /guarded/ {
            auth_request /ask;
            error_page 500 = @unknown;
            alias html/;
        }
        location = /ask { internal; rewrite ^ /codat/pushes/$http_x_key last; }
        location @unknown { return 403 unknown; }
    ' . ($addition ? '
        location /added/ { add_after_body /codat/health;
                           addition_types *; return 200; }' : ''));
my $nginx = $api->nginx;

my @keys = map { uuid() } 1 .. 1500;
my $company = uuid();

$api->quick('PUT', "/codat/pushes/$_", {},
    qq({"companyId":"$company","reference":"r$_"})) for @keys;
$api->hook(body('connection.connected', company => $company));
my $connection = $api->get('/connections')->{results}[0]{id};


# the answer to the SSI text

sub page {
    my ($text, %opt) = @_;

    $nginx->file('html/page', $text, 0644);
    my $response = $nginx->request('GET', '/pages/page', {}, undef, %opt);
    is($response->status, 200, 'status of the page');

    return $response->body;
}

sub include { qq(<!--# include virtual="/codat$_[0]" wait="yes" -->) }

mkdir $nginx->prefix . '/html/pages';
$nginx->reload(server => $nginx->{conf}{server}
    =~ s{(location /pages/ \{)}{$1 alias html/;}r);
$api->{client} = $nginx->client;


subtest 'SSI' => sub {
    plan skip_all => 'no SSI' if !$ssi;

    for my $path ('/', '/health', "/pushes/$keys[7]", '/pushes?limit=3',
                  "/connections/$connection", "/companies/$company",
                  '/events', "/pushes?companyId=$company&status=pending")
    {
        my $alone = $api->request('GET', $path)->body;
        is(page('[' . include($path) . ']'), "[$alone]", $path);
        is(page(include($path), version => '1.0'), $alone, "$path, HTTP/1.0");
    }

    my $one = $api->request('GET', "/pushes/$keys[0]")->body;
    my $two = $api->request('GET', '/pushes?limit=500')->body;
    is(page(join(',', map { include($_) } "/pushes/$keys[0]",
                 '/pushes?limit=500', '/pushes/none', "/pushes/$keys[0]")),
       join(',', $one, $two, '{"title":"There is nothing under this path",'
            . '"status":404,"detail":"this push is not known",'
            . '"code":"not_found"}', $one), 'several');
};


subtest 'limits in subrequests' => sub {
    plan skip_all => 'no SSI' if !$ssi;

    my $page = JSON::PP->new->decode(page(include('/pushes?limit=100000')));

    is(scalar @{$page->{results}}, 1000, 'at most 1000 rows');
    is($page->{results}[0]{pushOperationKey}, $keys[-1], 'the newest first');

    my $rest = $api->get("/pushes?limit=100000&after=$page->{next}");
    is_deeply([map { $_->{pushOperationKey} } @{$page->{results}},
               @{$rest->{results}}], [reverse @keys], 'the cursor leads on');

    # one that does not match may not hold up the others: here it does not
    $page = JSON::PP->new->decode(page(include(
        "/pushes?reference=r$keys[3]&companyId=$company")));
    is_deeply([map { $_->{pushOperationKey} } @{$page->{results}}],
              [$keys[3]], 'filters');
};


subtest 'auth_request' => sub {
    $nginx->file('html/page', 'secret', 0644);

    my $client = $nginx->client;
    for my $method (qw(GET HEAD GET)) {
        my $response = $client->request($method,
                                        '/guarded/page',
                                        { 'X-Key' => $keys[5] });
        is($response->status, 200, "$method: a push that is known");
        is($response->body, $method eq 'GET' ? 'secret' : '', 'the page');
    }

    is($client->request('GET', '/guarded/page', { 'X-Key' => 'none' })
       ->status, 403, 'one that is not');
};


subtest 'addition' => sub {
    plan skip_all => 'no addition module' if !$addition;

    my $response = $nginx->request('GET', '/added/');
    is($response->body, '{"status":"ok","zone":"codat"}', 'health');
};


subtest 'HTTP/2' => sub {
    plan skip_all => 'no HTTP/2' if !$http2;

    my $port = $nginx->port(1);
    my $url = "http://127.0.0.1:$port/codat";
    my $fetch = sub { scalar `nghttp @_ 2>&1` };

    for my $path ('/health', "/pushes/$keys[7]", '/pushes?limit=1500',
                  "/companies/$company", '/pushes/none')
    {
        my $alone = $api->request('GET', $path)->body;
        is($fetch->("'$url$path'"), $alone, $path);
    }

    # a small window: the answer waits for the client again and again
    is($fetch->('-w 10 -W 10', "'$url/pushes?limit=1500'"),
       $api->request('GET', '/pushes?limit=1500')->body, 'a small window');

    my $text = $fetch->('-nv', '-H', "':method: HEAD'", "'$url/pushes'");
    like($text, qr/:status: 200/, 'HEAD');
    like($text, qr/content-length: \d\d+/, 'with its length');
    like($text, qr/cache-control: no-store/, 'with its headers');
    unlike($text, qr/recv DATA/, 'without a body');

    $nginx->file('body', '{"reference":"over two"}');
    my $key = uuid();
    $text = $fetch->('-nv', '-H', "':method: PUT'", '-d',
                     $nginx->prefix . '/body', "'$url/pushes/$key'");
    like($text, qr/:status: 201/, 'PUT');
    like($text, qr{location: /codat/pushes/$key}, 'Location');
    is($api->get("/pushes/$key")->{reference}, 'over two', 'the row');

    $text = $fetch->('-nv', '-H', "':method: DELETE'", "'$url/pushes/$key'");
    like($text, qr/:status: 204/, 'DELETE');

    # several streams at once
    my $many = $fetch->('-n -s', map { "'$url/pushes?limit=$_'" }
                        1000, 700, 1500, 3);
    is(scalar(() = $many =~ m{ 200 .*/codat/pushes\?limit=}g), 4, 'at once')
        or diag $many;
};


$api->done(except => qr/auth request unexpected status: 404/);
done_testing();

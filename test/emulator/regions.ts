/** The public list: region, its name, its zones. Fewer zones than the cloud has, in places. */
const PUBLIC_LIST = [
  ['cn-bj2', 'Beijing 2', 'cn-bj2-02 cn-bj2-03 cn-bj2-04 cn-bj2-05'],
  ['cn-bj1', 'Beijing 1', 'cn-bj1-01'],
  ['cn-sh', 'Shanghai Finance', 'cn-sh-01 cn-sh-02 cn-sh-03'],
  ['cn-sh2', 'Shanghai 2', 'cn-sh2-01 cn-sh2-02 cn-sh2-03'],
  ['cn-gd', 'Guangzhou', 'cn-gd-02'],
  ['cn-gd2', 'Guangzhou 2', 'cn-gd2-01'],
  ['cn-hz', 'Hangzhou', 'cn-hz-01'],
  ['cn-qz', 'Fujian', 'cn-qz-01'],
  ['cn-jx', 'Jiaxing', 'cn-jx-01'],
  ['cn-wlcb', 'Ulanqab', 'cn-wlcb-01 cn-wlcb-03'],
  ['cn-wlcb2', 'Ulanqab 2', 'cn-wlcb2-01'],
  ['cn-guiyang1', 'Guiyang', 'cn-guiyang1-01'],
  ['hk', 'Hong Kong', 'hk-01 hk-02'],
  ['tw-tp', 'Taipei', 'tw-tp-01'],
  ['tw-kh', 'Kaohsiung', 'tw-kh-01'],
  ['jpn-tky', 'Tokyo', 'jpn-tky-01'],
  ['kr-seoul', 'Seoul', 'kr-seoul-01'],
  ['sg', 'Singapore', 'sg-01 sg-02'],
  ['th-bkk', 'Bangkok', 'th-bkk-01 th-bkk-02'],
  ['idn-jakarta', 'Jakarta', 'idn-jakarta-01'],
  ['vn-sng', 'Ho Chi Minh City', 'vn-sng-01'],
  ['ph-mnl', 'Manila', 'ph-mnl-01'],
  ['ind-mumbai', 'Mumbai', 'ind-mumbai-01'],
  ['pk-khi', 'Karachi', 'pk-khi-01'],
  ['uae-dubai', 'Dubai', 'uae-dubai-01'],
  ['uz-tas', 'Tashkent', 'uz-tas-01'],
  ['kz-ala', 'Almaty', 'kz-ala-01'],
  ['rus-mosc', 'Moscow', 'rus-mosc-01 rus-mosc-02'],
  ['ge-fra', 'Frankfurt', 'ge-fra-01'],
  ['uk-london', 'London', 'uk-london-01'],
  ['afr-nigeria', 'Lagos', 'afr-nigeria-01'],
  ['us-ca', 'Los Angeles', 'us-ca-01'],
  ['us-ws', 'Washington', 'us-ws-01'],
  ['us-den', 'Denver', 'us-den-01'],
  ['mx-mex', 'Mexico City', 'mx-mex-01'],
  ['bra-saopaulo', 'São Paulo', 'bra-saopaulo-01'],
] as const;

export interface Region {
  region: string;
  regionId: number;
  name: string;
  zones: string[];
}

export const REGIONS: ReadonlyMap<string, Region> = new Map(
  PUBLIC_LIST.map(([region, name, zones], index) => [
    region,
    { region, regionId: 1000 + index, name, zones: zones.split(' ') },
  ]),
);
export const DEFAULT_REGION = PUBLIC_LIST[0][0];
